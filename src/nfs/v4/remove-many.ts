import type { FileHandle, FileName } from "../file.ts";
import type { Request } from "../request.ts";
import { status } from "../status.ts";
import { putfh } from "./filehandle.ts";
import { remove } from "./remove.ts";
import type { CompoundRunner } from "./runner.ts";

/** PUTFH and as many REMOVEs (RFC 8881 §18.25) as a compound holds; one that fails ends it, and the next begins behind. */
export async function removeMany(
  runner: CompoundRunner,
  directory: FileHandle,
  names: readonly FileName[],
  request: Request,
): Promise<ReadonlyMap<number, Error>> {
  const failures = new Map<number, Error>();
  let done = 0;
  while (done < names.length) {
    const operations = [putfh(directory), ...fitting(runner, names, done).map(remove)];
    const reply = await runner.attempt(operations, request);
    if (reply.status === "ok") {
      done += operations.length - 1;
      continue;
    }
    const failed = done + reply.index - 1; // behind PUTFH
    if (failed < done) throw runner.failure(operations, reply, request);
    if (reply.code !== status.noent && !isCut(reply.code, failed, done)) {
      failures.set(failed, runner.failure(operations.slice(reply.index), { ...reply, index: 0 }, request));
    }
    done = isCut(reply.code, failed, done) ? failed : failed + 1;
  }
  return failures;
}

/** The server left the rest out, or was busy after the first ones: that name was not tried yet. */
function isCut(code: number, failed: number, done: number): boolean {
  const passing = code === status.tooManyOps || code === status.delay || code === status.grace;
  return passing && failed > done;
}

const bytesPerRemoval = 12; // the operation's code, the name's length and padding

function fitting(runner: CompoundRunner, names: readonly FileName[], from: number): FileName[] {
  const taken: FileName[] = [];
  let leftBytes = runner.limits.requestBytesMax - headersBytes;
  for (let index = from; index < names.length && taken.length < runner.operationsMax - 1; index++) {
    const name = names[index] ?? "";
    leftBytes -= bytesPerRemoval + Buffer.byteLength(name);
    if (leftBytes < 0 && taken.length > 0) break;
    taken.push(name);
  }
  return taken;
}

/** RPC header, SEQUENCE and PUTFH. */
const headersBytes = 1024;
