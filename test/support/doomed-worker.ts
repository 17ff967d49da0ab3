/** A process that works on a share until it is killed, at a moment that the test chooses. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/**
 * Starts a program of this folder, and kills it when it has written so many lines.
 * @returns the lines, also those that it still wrote before its end
 */
export async function linesUntilKilled(
  program: "promise-worker.ts" | "volume-worker.ts",
  args: readonly string[],
  linesMax: number,
): Promise<string[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, program), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (lines.length === linesMax) child.kill("SIGKILL");
  }
  const [code, signal] = await exited;
  assert.equal(signal, "SIGKILL", `${program} ${args.join(" ")} ended by itself with ${code}: ${errors}`);
  return lines;
}
