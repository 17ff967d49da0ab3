import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The program as it ships. */
export const bundle = join(import.meta.dirname, "..", "dist", "berth.js");

/** A real driver process. */
export class Driver {
  readonly #child: ChildProcess;
  readonly #logFile: string;
  /** The exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>;

  /** @param args `["node", "--endpoint", …]` @param logFile gets what it says */
  constructor(args: readonly string[], logFile: string) {
    const log = openSync(logFile, "w");
    this.#child = spawn(bundle, args, { stdio: ["ignore", log, log] });
    closeSync(log);
    this.#logFile = logFile;
    this.exited = once(this.#child, "exit").then(([code, signal]) => code ?? signal);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Asks it to end. @throws Error when it does not end well */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const end = await this.exited;
    if (end !== 0) throw new Error(`the driver ended with ${end} after SIGTERM:\n${this.log()}`);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  log(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  /** Rejects if it ends by itself: for races against the work that needs it. */
  async failure(): Promise<never> {
    const end = await this.exited;
    throw new Error(`the driver ended by itself with ${end}:\n${this.log()}`);
  }
}
