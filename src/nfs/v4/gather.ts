import type { Request } from "../request.ts";
import type { Operation, ResultsOf } from "./operation.ts";
import { runEach, type Task } from "./run-each.ts";
import type { CompoundRunner } from "./runner.ts";

type Operations = readonly Operation<unknown>[];

interface Waiting<Each extends Task<Operations>> {
  readonly task: Each;
  readonly resolve: (results: ResultsOf<Each["operations"]>) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Lets what is asked for in the same turn of the event loop share compounds: callers ask for single things, and
 * the server gets as many at once as one request (COMPOUND, RFC 8881 §16.2) holds.
 */
export class Gather<Each extends Task<Operations>> {
  readonly #runner: CompoundRunner;
  readonly #fitting: (tasks: readonly Each[]) => number;
  #waiting: Waiting<Each>[] = [];

  /** @param fitting how many of them one compound holds; it may change with the session */
  constructor(runner: CompoundRunner, fitting: (tasks: readonly Each[]) => number) {
    this.#runner = runner;
    this.#fitting = fitting;
  }

  /** As `CompoundRunner.run`. */
  run(task: Each): Promise<ResultsOf<Each["operations"]>> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#flush());
      this.#waiting.push({ task, resolve, reject });
    });
  }

  #flush(): void {
    let waiting = this.#waiting;
    this.#waiting = [];
    while (waiting.length > 0) {
      const tasks = waiting.map(({ task }) => task);
      const strangers = tasks.findIndex(({ request }) => !mayShare(tasks[0]?.request ?? request, request));
      const company = strangers === -1 ? tasks : tasks.slice(0, strangers);
      const count = Math.max(1, Math.min(company.length, this.#fitting(company)));
      void this.#settle(waiting.slice(0, count));
      waiting = waiting.slice(count);
    }
  }

  async #settle(part: readonly Waiting<Each>[]): Promise<void> {
    const outcomes = await runEach<Each["operations"]>(
      this.#runner,
      part.map(({ task }) => task),
    );
    for (const [index, { resolve, reject }] of part.entries()) {
      const outcome = outcomes[index];
      if (outcome?.status === "fulfilled") resolve(outcome.value);
      else reject(outcome?.reason);
    }
  }
}

/** One compound has one principal, ends at one time, and is cancelled as a whole. */
function mayShare(one: Request, other: Request): boolean {
  const sameTime = Math.abs(one.deadlineMs - other.deadlineMs) < sameTurnMs;
  return one.credentials === other.credentials && one.signal === other.signal && sameTime;
}

/** By how much clocks may differ that were read in one turn with the same timeout. */
const sameTurnMs = 100;
