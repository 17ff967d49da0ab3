import type { Request } from "../request.ts";
import type { Operation, ResultsOf } from "./operation.ts";
import { runEach, type Task } from "./run-each.ts";
import type { CompoundRunner } from "./runner.ts";

type Operations = readonly Operation<unknown>[];

interface Waiting<Ops extends Operations> extends Task<Ops> {
  readonly resolve: (results: ResultsOf<Ops>) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Lets what is asked for in the same turn of the event loop share compounds: callers ask for single things, and
 * the server gets as many at once as one request (COMPOUND, RFC 8881 §16.2) holds.
 */
export class Gather<Ops extends Operations> {
  readonly #runner: CompoundRunner;
  readonly #tasksMax: () => number;
  #waiting: Waiting<Ops>[] = [];

  /** @param tasksMax how many one compound holds; it may change with the session */
  constructor(runner: CompoundRunner, tasksMax: () => number) {
    this.#runner = runner;
    this.#tasksMax = tasksMax;
  }

  /** As `CompoundRunner.run`. */
  async run(operations: Ops, request: Request): Promise<ResultsOf<Ops>> {
    return await new Promise<ResultsOf<Ops>>((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#flush());
      this.#waiting.push({ operations, request, resolve, reject });
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const tasksMax = this.#tasksMax();
    let part: Waiting<Ops>[] = [];
    for (const each of waiting) {
      const [first] = part;
      if (first !== undefined && (part.length >= tasksMax || !mayShare(first.request, each.request))) {
        void this.#settle(part);
        part = [];
      }
      part.push(each);
    }
    void this.#settle(part);
  }

  async #settle(part: readonly Waiting<Ops>[]): Promise<void> {
    const outcomes = await runEach(this.#runner, part);
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
