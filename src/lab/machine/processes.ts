import { type ChildProcess, type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { BerthError } from "../../core/errors.ts";

const execFileAsync = promisify(execFile);

/** Runs a short command. @returns what it printed. @throws BerthError `failed-precondition` with what it complained of */
export async function run(command: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await execFileAsync(command, args);
    return stdout;
  } catch (reason) {
    throw commandFailed([command, ...args].join(" "), reason);
  }
}

/** A process of the lab, spoken to by its stdin and stdout. @throws BerthError when it cannot be started */
export async function start(command: string, ...args: string[]): Promise<ChildProcessWithoutNullStreams> {
  const child = spawn(command, args, { stdio: "pipe" });
  try {
    await once(child, "spawn");
  } catch (reason) {
    throw commandFailed(command, reason);
  }
  // A process that is gone says so by its exit; writing to it then is no error of its own.
  child.stdin.on("error", () => {});
  return child;
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Resolves when the process has ended. */
export async function ended(child: ChildProcess): Promise<void> {
  if (!hasEnded(child)) await once(child, "exit");
}

function commandFailed(command: string, reason: unknown): BerthError {
  const said = reason instanceof Error && "stderr" in reason ? String(reason.stderr).trim() : "";
  const cause = said === "" && reason instanceof Error ? reason.message : said;
  const remedy = "the lab needs util-linux and the right to mount";
  return new BerthError("failed-precondition", `${command} failed: ${cause}: ${remedy}`, { cause: reason });
}
