/** A job in a guest, as its control line tells of it. */
import { readFile } from "node:fs/promises";
import { BerthError } from "../../core/errors.ts";
import type { Job, JobSignal } from "../machine/machine.ts";
import type { RunResult } from "./process.ts";

export interface GuestJobParts {
  /** The guest's, for messages. */
  readonly name: string;
  /** Where its output and its complaints are, as this process reaches them. */
  readonly outputFiles: readonly string[];
  /** Settles when the guest has ended. */
  readonly gone: Promise<unknown>;
  /** Runs a script in the guest. */
  readonly exec: (script: string) => Promise<RunResult>;
}

const goneExitCode = 255;
const outputCharactersMax = 4 * 1024 * 1024;

export class GuestJob implements Job {
  readonly exited: Promise<number>;
  readonly up: Promise<number>;
  /** Settles when the guest has begun it. */
  readonly started: Promise<void>;
  readonly #parts: GuestJobParts;
  readonly #end: (exitCode: number) => void;
  readonly #isUp: (pid: number) => void;
  readonly #hasStarted: () => void;
  #session: number | undefined;
  #pid: number | undefined;
  #hasEnded = false;

  constructor(parts: GuestJobParts) {
    this.#parts = parts;
    const exited = Promise.withResolvers<number>();
    const up = Promise.withResolvers<number>();
    const started = Promise.withResolvers<void>();
    this.exited = exited.promise;
    this.up = up.promise;
    this.started = started.promise;
    this.#isUp = up.resolve;
    this.#hasStarted = started.resolve;
    this.#end = (exitCode) => {
      this.#hasEnded = true;
      exited.resolve(exitCode);
      started.resolve();
      void this.output().then((said) => up.reject(endedEarly(parts.name, exitCode, said)));
    };
    up.promise.catch(() => {}); // who does not wait for it need not hear of it
    void parts.gone.then(() => this.#end(goneExitCode));
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** @returns whether that was its end */
  hear([word = "", pid]: readonly string[]): boolean {
    if (word === "pid") {
      this.#session = Number(pid);
      this.#hasStarted();
    } else if (word === "up") {
      this.#pid = Number(pid);
      this.#isUp(this.#pid);
    } else {
      this.#end(Number(word));
    }
    return this.#hasEnded;
  }

  async signal(name: JobSignal): Promise<void> {
    if (this.#hasEnded) return;
    const all = name === "KILL" || this.#pid === undefined;
    await this.#parts.exec(`kill -s ${name} -- ${all ? `-${this.#session}` : this.#pid}`);
  }

  async output(): Promise<string> {
    const read = this.#parts.outputFiles.map((path) => readFile(path, "utf8").catch(() => ""));
    return (await Promise.all(read)).join("").slice(-outputCharactersMax);
  }
}

/** Why a job that should be up is not. */
export function endedEarly(machine: string, exitCode: number, said: string): BerthError {
  const words = said.trim().slice(-2000) || "nothing";
  return new BerthError(
    "unavailable",
    `a program on ${machine} ended with exit code ${exitCode} before it was up, and said: ${words}`,
  );
}
