import type { Renaming } from "../client.ts";
import type { Request } from "../request.ts";
import { putfh, savefh } from "./filehandle.ts";
import { rename } from "./rename.ts";
import { runEach } from "./run-each.ts";
import type { CompoundRunner } from "./runner.ts";

/** RENAMEs one after the other, as many as a compound holds; one that fails ends it, and the next begins behind. */
export async function renameMany(
  runner: CompoundRunner,
  renamings: readonly Renaming[],
  request: Request,
): Promise<ReadonlyMap<number, Error>> {
  const failures = new Map<number, Error>();
  const tasks = renamings.map(({ fromDirectory, from, toDirectory, to, ...paths }) => ({
    operations: [putfh(fromDirectory), savefh, putfh(toDirectory), rename(from, to)],
    request: { ...request, site: { ...request.site, ...paths } },
  }));
  for (let done = 0; done < tasks.length; ) {
    const part = tasks.slice(done, done + renamesPerCompound(runner));
    for (const [index, outcome] of (await runEach(runner, part)).entries()) {
      if (outcome.status === "rejected") failures.set(done + index, outcome.reason);
    }
    done += part.length;
  }
  return failures;
}

/** How many fit into a request, and the answer that the server keeps of it. */
function renamesPerCompound({ operationsMax, limits }: CompoundRunner): number {
  const byOperations = operationsMax / operationsEach;
  const byRequest = (limits.requestBytesMax - headersBytes) / requestBytesEach;
  const byReply = (limits.cachedBytesMax - headersBytes) / replyBytesEach;
  return Math.max(1, Math.floor(Math.min(byOperations, byRequest, byReply)));
}

const operationsEach = 4;
/** RPC header and SEQUENCE. */
const headersBytes = 256;
/** Two handles and two names of the largest size, and the codes and lengths between. */
const requestBytesEach = 2 * (128 + 256) + 64;
/** Two times `change_info4` (RFC 8881 §3.3.2), and a code and status for each operation. */
const replyBytesEach = 2 * 20 + operationsEach * 8;
