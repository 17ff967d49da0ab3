import type { FileHandle } from "../file.ts";
import { afterChange } from "../nfs-error.ts";
import type { Request } from "../request.ts";
import { status } from "../status.ts";
import type { Step, StepResult, StepsOutcome } from "../steps.ts";
import type { CompoundFailure } from "./compound.ts";
import type { Gather } from "./gather.ts";
import { isInterruption, meant, type Task } from "./run-each.ts";
import type { CompoundRunner } from "./runner.ts";
import { planOf, type StepPlan, shortened } from "./step-plan.ts";
import { writeRest } from "./write-new.ts";

/** A look, and whose request it is. */
export interface LookTask extends Task<StepPlan["operations"]> {
  readonly plan: StepPlan;
}

/** RPC header and SEQUENCE. */
const headersBytes = 256;

/**
 * Steps one after the other, as many as fit in one compound (RFC 8881 §16.2), which ends at the first that fails. What a
 * compound has no room for, or was cut before, goes in the next.
 */
export async function inOrder(
  runner: CompoundRunner,
  steps: readonly Step[],
  request: Request,
): Promise<StepsOutcome> {
  const results: StepResult[] = [];
  while (results.length < steps.length) {
    try {
      const failure = await runSome(runner, steps, request, results);
      if (failure !== undefined) return { results, failure };
    } catch (failure) {
      return { results, failure };
    }
  }
  return { results };
}

/** One look as a list of its own: those that are asked for in one turn, by one caller, share compounds. */
export async function lookInCompany(
  runner: CompoundRunner,
  company: Gather<LookTask>,
  look: Step,
  request: Request,
): Promise<StepsOutcome> {
  const plan = planOf(look, runner.clientId, 0);
  if (plan.operations.length > runner.operationsMax) return await inOrder(runner, [look], request);
  try {
    const { operations, meaning } = plan;
    const results = await company.run({ plan, operations, meaning, request: requestFor(request, look) });
    return { results: [plan.result(results, results.length)] };
  } catch (failure) {
    return { results: [], failure };
  }
}

/**
 * One compound, of the steps that are left.
 * @param results of the steps that are done, to which it adds
 * @returns the failure of the step that it ended at, if that is one
 */
async function runSome(
  runner: CompoundRunner,
  steps: readonly Step[],
  request: Request,
  results: StepResult[],
): Promise<unknown> {
  const before = results.length;
  const plans = await nextPlans(runner, steps, before, request);
  const reply = await runner.attempt(
    plans.flatMap(({ operations }) => operations),
    requestFor(request, steps[before]),
  );
  let start = 0;
  for (const plan of plans) {
    const end = start + plan.operations.length;
    const ended = reply.status === "error" && reply.index < end ? within(reply, start) : undefined;
    const handle = plan.file && unwritten(plan.file, reply.results.slice(start, end), ended);
    const step = steps[results.length];
    if (plan.file !== undefined && handle !== undefined)
      await writeWhole(runner, handle, plan.file.content, requestFor(request, step));
    else if (ended !== undefined) {
      if (mayGoOn(plan, ended, results.length - before)) return undefined;
      return runner.failure(plan.operations, meant(plan, ended), requestFor(request, step));
    }
    results.push(plan.result(reply.results, end));
    if (ended !== undefined) return undefined;
    start = end;
  }
  return undefined;
}

/** Plans of the steps from the first that is left, as many as go in one compound. */
async function nextPlans(
  runner: CompoundRunner,
  steps: readonly Step[],
  from: number,
  request: Request,
): Promise<readonly StepPlan[]> {
  const contentBytesMax = runner.limits.requestBytesMax / 2;
  const plans = steps.slice(from).map((step) => planOf(step, runner.clientId, contentBytesMax));
  const [plan, step] = [plans[0], steps[from]];
  if (step !== undefined && plan !== undefined && plan.operations.length > runner.operationsMax)
    plans[0] = planOf(
      await shortened(runner, step, requestFor(request, step)),
      runner.clientId,
      contentBytesMax,
    );
  return plans.slice(0, fitting(runner, plans));
}

function within(reply: CompoundFailure, from: number): CompoundFailure {
  return { ...reply, index: reply.index - from };
}

/** The handle of a file that a compound has left there without its content. @param results of its step, as far as they came */
function unwritten(
  { content, handleIndex }: NonNullable<StepPlan["file"]>,
  results: readonly unknown[],
  ended: CompoundFailure | undefined,
): FileHandle | undefined {
  const isWritten = ended === undefined && (results.length > handleIndex + 1 || content.length === 0);
  const isCut = ended === undefined || ended.code === status.notSame || isInterruption(ended.code);
  return isWritten || !isCut ? undefined : (results[handleIndex] as FileHandle | undefined);
}

async function writeWhole(
  runner: CompoundRunner,
  file: FileHandle,
  content: Uint8Array,
  request: Request,
): Promise<void> {
  try {
    await writeRest(runner, file, content, 0, request);
  } catch (error) {
    throw afterChange(error);
  }
}

/** Whether the step that a compound ended at can be asked for again, after others that were done. */
function mayGoOn({ operations }: StepPlan, { code, index }: CompoundFailure, done: number): boolean {
  const isUntouched = operations.slice(0, index).every(({ once }) => once !== true);
  return done > 0 && isUntouched && isInterruption(code);
}

/** How errors name what a step is about. */
function requestFor(request: Request, step: Step | undefined): Request {
  const { path = request.site.path, newPath = request.site.newPath } = step ?? {};
  return { ...request, site: { ...request.site, path, newPath } };
}

/** How many of them fit into one request, and the answer that the server keeps of it; one at least. */
export function fitting({ operationsMax, limits }: CompoundRunner, plans: readonly StepPlan[]): number {
  let [operations, requestBytes, replyBytes, count] = [0, headersBytes, headersBytes, 0];
  let replyBytesMax = limits.responseBytesMax;
  for (const plan of plans) {
    operations += plan.operations.length;
    requestBytes += plan.requestBytesMax;
    replyBytes += plan.replyBytesMax;
    if (plan.operations.some(({ once }) => once === true)) replyBytesMax = limits.cachedBytesMax;
    if (operations > operationsMax || requestBytes > limits.requestBytesMax || replyBytes > replyBytesMax)
      break;
    count += 1;
    if (isLarge(plan)) break;
  }
  return Math.max(1, count);
}

/** A new file whose content comes after its compound, and before any later step. */
function isLarge({ file, operations }: StepPlan): boolean {
  return file !== undefined && file.content.length > 0 && operations.length === file.handleIndex + 1;
}
