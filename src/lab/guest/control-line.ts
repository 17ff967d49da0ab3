/** Our end of a guest's control line (see `init-script.ts`): commands by number, files in a shared directory. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { BerthError } from "../../core/errors.ts";
import type { ExecOptions, Job } from "../machine/machine.ts";
import { GuestJob } from "./job.ts";
import type { RunResult } from "./process.ts";

const execMsMax = 60_000;

/** Hears what the guest says of one script: `CODE`, `up PID` or `pid PID`. */
type Listener = (words: readonly string[]) => void;

export class ControlLine {
  /** Settles with the guest's first word. */
  readonly ready: Promise<void>;
  readonly #name: string;
  readonly #directory: string;
  readonly #toGuest: Writable;
  readonly #gone: Promise<unknown>;
  readonly #running = new Map<string, Listener>();
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
    const { id, base } = this.#newScript();
    await writeFile(`${base}.sh`, script);
    await writeFile(`${base}.in`, options.input ?? "");
    try {
      const exitCode = await this.#toEnd("run", id, script, options.timeoutMs ?? execMsMax);
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

  /** The guest's mount table, in 2 ms; the processes of a script with `cat` take sixty times as long (measured). @throws BerthError as `exec` */
  async mountTable(): Promise<string> {
    const { id, base } = this.#newScript();
    try {
      await this.#toEnd("mounts", id, "its mount table", execMsMax);
      return await readFile(`${base}.out`, "utf8");
    } finally {
      this.#running.delete(id);
      await rm(`${base}.out`, { force: true });
    }
  }

  /** Starts a shell script that goes on. Its output stays in the control directory as long as the guest. */
  async start(script: string): Promise<Job> {
    const { id, base } = this.#newScript();
    await writeFile(`${base}.sh`, script);
    const job = new GuestJob({
      name: this.#name,
      outputFiles: [`${base}.out`, `${base}.err`],
      gone: this.#gone,
      exec: (command) => this.exec(command),
    });
    this.#running.set(id, (words) => {
      if (job.hear(words)) this.#running.delete(id);
    });
    this.#toGuest.write(`start ${id}\n`);
    await job.started;
    return job;
  }

  /** Asks the guest to power off; it writes back what its file systems hold. */
  powerOff(): void {
    this.#toGuest.write("off\n");
  }

  #newScript(): { readonly id: string; readonly base: string } {
    this.#started += 1;
    const id = `${this.#started}`;
    return { id, base: `${this.#directory}/${id}` };
  }

  async #toEnd(verb: "run" | "mounts", id: string, script: string, timeoutMs: number): Promise<number> {
    const ended = new Promise<number>((resolve) =>
      this.#running.set(id, ([exitCode]) => resolve(Number(exitCode))),
    );
    this.#toGuest.write(`${verb} ${id}\n`);
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
    const [id = "", ...words] = line.split(" ");
    this.#running.get(id)?.(words);
  }
}
