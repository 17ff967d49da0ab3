/** Our end of a guest's control line (see `init-script.ts`): commands by number, files in a shared directory. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { BerthError } from "../../core/errors.ts";
import type { RunResult } from "./process.ts";

const execMsMax = 60_000;

export interface ExecOptions {
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
}

interface Ended {
  readonly exitCode: number;
}

export class ControlLine {
  /** Settles with the guest's first word. */
  readonly ready: Promise<void>;
  readonly #name: string;
  readonly #directory: string;
  readonly #toGuest: Writable;
  readonly #gone: Promise<unknown>;
  readonly #running = new Map<string, (ended: Ended) => void>();
  #started = 0;

  /**
   * @param directory the guest's control directory, as this process reaches it
   * @param gone settles when the guest has ended: commands that run then fail
   */
  constructor(
    name: string,
    directory: string,
    toGuest: Writable,
    fromGuest: Readable,
    gone: Promise<unknown>,
  ) {
    this.#name = name;
    this.#directory = directory;
    this.#toGuest = toGuest;
    this.#gone = gone;
    toGuest.on("error", () => {}); // a guest that has ended; `gone` tells
    const lines = createInterface(fromGuest);
    this.ready = new Promise((resolve) => lines.once("line", () => resolve()));
    lines.on("line", (line) => this.#hear(line));
  }

  /**
   * Runs a shell script in the guest to its end. Any number run at once.
   * @throws BerthError `deadline-exceeded` (the script has been killed), `unavailable` when the guest has ended
   */
  async exec(script: string, options: ExecOptions = {}): Promise<RunResult> {
    this.#started += 1;
    const id = `${this.#started}`;
    const base = `${this.#directory}/${id}`;
    await writeFile(`${base}.sh`, script);
    await writeFile(`${base}.in`, options.input ?? "");
    try {
      const { exitCode } = await this.#runToEnd(id, script, options.timeoutMs ?? execMsMax);
      const [stdout, stderr] = await Promise.all([
        readFile(`${base}.out`, "utf8"),
        readFile(`${base}.err`, "utf8"),
      ]);
      return { exitCode, stdout, stderr };
    } finally {
      this.#running.delete(id);
      await Promise.all(["sh", "in", "out", "err"].map((kind) => rm(`${base}.${kind}`, { force: true })));
    }
  }

  /** Asks the guest to power off; it writes back what its file systems hold. */
  powerOff(): void {
    this.#toGuest.write("off\n");
  }

  async #runToEnd(id: string, script: string, timeoutMs: number): Promise<Ended> {
    const ended = new Promise<Ended>((resolve) => this.#running.set(id, resolve));
    this.#toGuest.write(`run ${id}\n`);
    const gone = this.#gone.then(() => {
      throw new BerthError("unavailable", `guest ${this.#name} ended while it ran: ${script}`);
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#toGuest.write(`kill ${id}\n`);
        reject(
          new BerthError(
            "deadline-exceeded",
            `in guest ${this.#name}, ${script} took longer than ${timeoutMs} ms`,
          ),
        );
      }, timeoutMs);
    });
    return await Promise.race([ended, gone, late]).finally(() => clearTimeout(timer));
  }

  #hear(line: string): void {
    const [id, exitCode] = line.split(" ");
    this.#running.get(id ?? "")?.({ exitCode: Number(exitCode) });
  }
}
