/** `berth` as a process of its own. */
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";

const main = join(import.meta.dirname, "../../src/cli/main.ts");

export interface Ended {
  /** The exit code, or the name of the signal that ended it. */
  readonly end: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs until it ends by itself, or `using` ends it. */
export class BerthProcess implements Disposable {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #said = { stdout: "", stderr: "" };
  #waiters: { text: string; settle: PromiseWithResolvers<void> }[] = [];

  constructor(words: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.#child = spawn(process.execPath, [main, ...words], { stdio: ["ignore", "pipe", "pipe"], env });
    for (const stream of ["stdout", "stderr"] as const) {
      this.#child[stream].setEncoding("utf8").on("data", (text: string) => this.#hear(stream, text));
    }
    this.ended = once(this.#child, "close").then(([code, signal]: unknown[]) => {
      for (const { text, settle } of this.#waiters) {
        settle.reject(new Error(`it ended before it said ${JSON.stringify(text)}: ${this.output}`));
      }
      return { end: typeof code === "number" ? code : String(signal), ...this.#said };
    });
  }

  /** All that it has said so far, on both streams. */
  get output(): string {
    return this.#said.stdout + this.#said.stderr;
  }

  /** Resolves once it has said this; rejects when it ends without. */
  async says(text: string): Promise<void> {
    if (this.output.includes(text)) return;
    const settle = Promise.withResolvers<void>();
    this.#waiters.push({ text, settle });
    await settle.promise;
  }

  signal(name: "SIGINT" | "SIGTERM"): void {
    assert.ok(this.#child.kill(name), "it has ended already");
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }

  #hear(stream: "stdout" | "stderr", text: string): void {
    this.#said[stream] += text;
    const [heard, others] = [true, false].map((wanted) =>
      this.#waiters.filter((waiter) => this.output.includes(waiter.text) === wanted),
    );
    this.#waiters = others ?? [];
    for (const { settle } of heard ?? []) settle.resolve();
  }
}

/** A whole run of a command that ends by itself. */
export async function berth(...words: string[]): Promise<Ended> {
  using process = new BerthProcess(words);
  return await process.ended;
}
