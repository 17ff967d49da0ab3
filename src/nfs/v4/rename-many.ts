import type { Request } from "../request.ts";
import type { Renaming } from "../steps.ts";
import { savefh } from "./filehandle.ts";
import { wayTo, withoutWay } from "./name-below.ts";
import type { Operation } from "./operation.ts";
import { rename } from "./rename.ts";
import { runEach, type Task } from "./run-each.ts";
import type { CompoundRunner } from "./runner.ts";

interface RenameTask extends Task<readonly Operation<unknown>[]> {
  /** Of its renaming. */
  readonly index: number;
}

/**
 * RENAMEs one after the other, each behind the ways to its two directories, as many as a compound holds; one that fails
 * ends it, and the next begins behind.
 */
export async function renameMany(
  runner: CompoundRunner,
  renamings: readonly Renaming[],
  request: Request,
): Promise<ReadonlyMap<number, Error>> {
  const failures = new Map<number, Error>();
  const tasks: RenameTask[] = [];
  for (const [index, { from, to, ...paths }] of renamings.entries()) {
    const own = { ...request, site: { ...request.site, ...paths } };
    try {
      const operations = operationsOf(await shortened(runner, { from, to }, own));
      tasks.push({ index, operations, request: own });
    } catch (error) {
      failures.set(index, error as Error); // as all that a runner rejects with
    }
  }
  for (let done = 0; done < tasks.length; ) {
    const part = tasks.slice(done, done + fitting(runner, tasks.slice(done)));
    const outcomes = await runEach(runner, part);
    for (const [position, { index }] of part.entries()) {
      const outcome = outcomes[position];
      if (outcome?.status === "rejected") failures.set(index, outcome.reason);
    }
    done += part.length;
  }
  return failures;
}

function operationsOf({ from, to }: Renaming): readonly Operation<unknown>[] {
  return [...wayTo(from), savefh, ...wayTo(to), rename(from.name, to.name)];
}

/** With handles in place of ways that no compound holds. */
async function shortened(runner: CompoundRunner, renaming: Renaming, request: Request): Promise<Renaming> {
  const { from, to } = renaming;
  if (operationsEach + from.way.length + to.way.length <= runner.operationsMax) return renaming;
  const source = await withoutWay(runner, from, request);
  return { ...renaming, from: source, to: await withoutWay(runner, to, request) };
}

/** How many of them fit into a request, and the answer that the server keeps of it; one at least. */
function fitting({ operationsMax, limits }: CompoundRunner, tasks: readonly RenameTask[]): number {
  let [operations, requestBytes, replyBytes] = [0, headersBytes, headersBytes];
  const end = tasks.findIndex(({ operations: { length } }) => {
    operations += length;
    requestBytes += requestBytesEach + (length - operationsEach) * nameBytesMax;
    replyBytes += replyBytesEach + (length - operationsEach) * operationReplyBytes;
    return (
      operations > operationsMax ||
      requestBytes > limits.requestBytesMax ||
      replyBytes > limits.cachedBytesMax
    );
  });
  return end === -1 ? tasks.length : Math.max(1, end);
}

/** Without ways. */
const operationsEach = 4;
/** RPC header and SEQUENCE. */
const headersBytes = 256;
/** Of the largest size, with the codes and lengths around it. */
const nameBytesMax = 256 + 16;
/** Two handles and two names of the largest size, and the codes and lengths between. */
const requestBytesEach = 2 * (128 + 256) + 64;
const operationReplyBytes = 8;
/** Two times `change_info4` (RFC 8881 §3.3.2), and a code and status for each operation. */
const replyBytesEach = 2 * 20 + operationsEach * operationReplyBytes;
