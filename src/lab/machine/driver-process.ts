import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { hasEnded } from "./processes.ts";

const shownLinesMax = 8;

/** A process of the driver under test, its output in a file of the lab. */
export class DriverProcess {
  readonly component: string;
  readonly endpoint: string;
  readonly #child: ChildProcess;
  readonly #logFile: string;
  #failure: Error | undefined;

  constructor(component: string, endpoint: string, command: readonly [string, ...string[]], logFile: string) {
    this.component = component;
    this.endpoint = endpoint;
    this.#logFile = logFile;
    const [program, ...args] = command;
    const output = openSync(logFile, "a");
    this.#child = spawn(program, args, { stdio: ["ignore", output, output] });
    this.#child.on("error", (reason) => {
      this.#failure = reason;
    });
    closeSync(output);
  }

  /** Fires when it ends; until then it runs. */
  onEnd(listener: () => void): void {
    this.#child.once("exit", listener);
    this.#child.once("error", listener);
  }

  /** How it is, and the last it said: for a message about a step that failed. */
  lastWords(): string[] {
    const lines = readFileSync(this.#logFile, "utf8").trimEnd().split("\n").slice(-shownLinesMax);
    return [`${this.component} ${this.#state()}; the end of its log:`, ...lines.map((line) => `  ${line}`)];
  }

  #state(): string {
    if (this.#failure !== undefined) return `could not start (${this.#failure.message})`;
    if (!hasEnded(this.#child)) return "runs";
    return `has ended (${this.#child.signalCode ?? `exit code ${this.#child.exitCode}`})`;
  }
}
