import { setTimeout as delay } from "node:timers/promises";
import { BerthError } from "../../core/errors.ts";
import { Identity } from "../../gen/csi/v1/csi_pb.ts";
import { CsiConnection, requestOf } from "../csi-client.ts";
import { commandLine, type Job, type JobSignal, quoted, sayUp } from "../machine/machine.ts";
import type { DriverPlace, Program } from "./site.ts";

export interface DriverOptions {
  /** `controller`, or a node's name. */
  readonly component: string;
  readonly place: DriverPlace;
  readonly program: Program;
  readonly driverName: string;
  /** `controller`, or `node` with its flags. */
  readonly command: readonly string[];
  /** The configuration file's content. */
  readonly config: string;
}

const shownLinesMax = 8;
const askAgainMs = 20;
const probeMsMax = 2_000;

/** A process of the driver under test, which can be ended and started again. */
export class Driver {
  readonly component: string;
  readonly #options: DriverOptions;
  #job: Job | undefined;
  /** Of the jobs before this one. */
  #earlierOutput = "";

  constructor(options: DriverOptions) {
    this.component = options.component;
    this.#options = options;
  }

  /** As gRPC names it. */
  get target(): string {
    return this.#options.place.target;
  }

  /** Starts it, without waiting until it answers. */
  async start(): Promise<void> {
    const { place, program, command, config, driverName } = this.#options;
    const { configPath, machine, nodeFlags, runAs, socketPath } = place;
    const files = `mkdir -p "$(dirname ${quoted(socketPath)})"\ncat > ${quoted(configPath)}`;
    await machine.check(files, { input: config });
    const flags = [
      ...["--endpoint", `unix://${socketPath}`, "--driver-name", driverName],
      ...["--config", configPath, "--log-format", "json"],
    ];
    const berth = commandLine([
      program.node,
      ...program.flags,
      ...nodeFlags,
      program.bundle,
      ...command,
      ...flags,
    ]);
    const inner = `${sayUp}exec ${berth}`;
    // Not the job's first process: that one would not hear signals, and becoming another user undoes its tie.
    this.#job = await machine.start(`${commandLine([...runAs, "sh", "-c", inner])}; exit $?`);
  }

  /** Resolves when it answers. @throws BerthError `unavailable` with its last words when it has ended, or the signal fires */
  async answers(signal: AbortSignal): Promise<void> {
    const ended = this.ended().then(async () => {
      throw new BerthError("unavailable", (await this.lastWords()).join("\n"));
    });
    ended.catch(() => {}); // it may end later, when nobody waits for this
    while (!(await Promise.race([this.#isAnswering(), ended]))) {
      if (signal.aborted) throw new BerthError("unavailable", (await this.lastWords()).join("\n"));
      await delay(askAgainMs);
    }
  }

  /** Resolves when the process that runs now has ended. */
  async ended(): Promise<void> {
    await this.#job?.exited;
  }

  async signal(name: JobSignal): Promise<void> {
    await this.#job?.signal(name);
  }

  /** Ends it by a signal and starts it again. */
  async restart(name: "TERM" | "KILL", signal: AbortSignal): Promise<void> {
    await this.signal(name);
    await this.ended();
    this.#earlierOutput += (await this.#job?.output()) ?? "";
    await this.start();
    await this.answers(signal);
  }

  /** All that it has logged, one JSON object a line. */
  async log(): Promise<string> {
    return this.#earlierOutput + ((await this.#job?.output()) ?? "");
  }

  /** How it is, and the last it said: for a message about a step that failed. */
  async lastWords(): Promise<string[]> {
    const lines = (await this.log()).trimEnd().split("\n").slice(-shownLinesMax);
    const state = this.#job?.hasEnded === false ? "runs" : "has ended";
    return [`${this.component} ${state}; the end of its log:`, ...lines.map((line) => `  ${line}`)];
  }

  async #isAnswering(): Promise<boolean> {
    const connection = new CsiConnection(this.target);
    try {
      const request = requestOf(Identity.method.probe, {});
      const result = await connection.call(Identity.method.probe, request, probeMsMax);
      return result.status === "ok";
    } finally {
      connection.close();
    }
  }
}
