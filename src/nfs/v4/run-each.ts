import type { Request } from "../request.ts";
import { status } from "../status.ts";
import type { Operation, ResultsOf } from "./operation.ts";
import type { CompoundRunner } from "./runner.ts";

/** Operations on one thing, and whose request they are. */
export interface Task<Operations extends readonly Operation<unknown>[]> {
  readonly operations: Operations;
  readonly request: Request;
  readonly meaning?: Meaning | undefined;
}

/** What one status of one operation means in a task, in place of what it says. */
export interface Meaning {
  readonly index: number;
  readonly code: number;
  readonly means: number;
}

/** What a task's failure says; with another meaning it is that of the task's last operation. */
export function meant<Failure extends { readonly code: number; readonly index: number }>(
  { meaning, operations }: Pick<Task<readonly Operation<unknown>[]>, "meaning" | "operations">,
  failure: Failure,
): Failure {
  if (meaning?.code !== failure.code || meaning.index !== failure.index) return failure;
  return { ...failure, code: meaning.means, index: operations.length - 1 };
}

type Outcome<Operations extends readonly Operation<unknown>[]> = PromiseSettledResult<ResultsOf<Operations>>;

/**
 * Tasks in one compound (RFC 8881 §16.2). What fails ends a compound: that task gets the error,
 * and the next compound begins behind it. @returns what became of each; never rejects
 */
export async function runEach<const Operations extends readonly Operation<unknown>[]>(
  runner: CompoundRunner,
  tasks: readonly Task<Operations>[],
): Promise<readonly Outcome<Operations>[]> {
  const outcomes: Outcome<Operations>[] = [];
  while (outcomes.length < tasks.length) {
    outcomes.push(...(await runFirst(runner, tasks.slice(outcomes.length))));
  }
  return outcomes;
}

/** One compound. @returns what became of those that it came to, at least one */
async function runFirst<const Operations extends readonly Operation<unknown>[]>(
  runner: CompoundRunner,
  tasks: readonly Task<Operations>[],
): Promise<readonly Outcome<Operations>[]> {
  try {
    const all = tasks.flatMap(({ operations }) => operations);
    const reply = await runner.attempt(all, sharedRequest(tasks));
    const outcomes: Outcome<Operations>[] = [];
    let index = 0;
    for (const { operations } of tasks) {
      const end = index + operations.length;
      if (end > reply.results.length) break;
      const value = reply.results.slice(index, end) as ResultsOf<Operations>; // in their order
      outcomes.push({ status: "fulfilled", value });
      index = end;
    }
    const failed = tasks[outcomes.length];
    if (reply.status === "ok" || failed === undefined) return outcomes;
    const within = { ...reply, index: reply.index - index };
    const reason = runner.failure(failed.operations, meant(failed, within), failed.request);
    const untouched = failed.operations.slice(0, within.index).every(({ once }) => once !== true);
    if (outcomes.length > 0 && untouched && isInterruption(reply.code)) return outcomes; // its turn comes with the next
    return [...outcomes, { status: "rejected", reason }];
  } catch (reason) {
    // Without an answer, nobody knows how far it came.
    return tasks.map(() => ({ status: "rejected", reason }));
  }
}

const interruptions: ReadonlySet<number> = new Set([
  status.tooManyOps,
  status.delay,
  status.grace,
  status.repTooBig,
  status.repTooBigToCache,
]);

/**
 * What ended a compound says nothing of the operation that it ended at: the server left the rest out, was busy after the
 * first ones, or had no more room in its answer. That operation may be asked for by itself.
 */
export function isInterruption(code: number): boolean {
  return interruptions.has(code);
}

/** What is about several has no path of its own. */
function sharedRequest(tasks: readonly Task<readonly Operation<unknown>[]>[]): Request {
  const [first] = tasks;
  if (first === undefined) throw new TypeError("no task");
  const { request } = first;
  return tasks.length === 1
    ? request
    : { ...request, site: { ...request.site, path: undefined, newPath: undefined } };
}
