import type { NameBelow } from "../client.ts";
import type { FileHandle } from "../file.ts";
import { afterChange } from "../nfs-error.ts";
import type { Request } from "../request.ts";
import { status } from "../status.ts";
import { isInterruption, linkAlone, linkTo } from "./link-target.ts";
import type { CompoundRunner } from "./runner.ts";
import { verifySize } from "./verify.ts";
import { write } from "./write.ts";
import { type Made, writeRest } from "./write-new.ts";

/** Of GETFH among the operations of `Made`. */
const handleIndex = 3;
/** What a request needs beside the content: headers, handles and names. */
const restBytesMax = 8192;

/**
 * OPEN, CLOSE, WRITE and LINK (RFC 8881 §18.16, §18.2, §18.32, §18.9) in one compound. A server may write less than it
 * was given and say OK; a VERIFY (§18.31) of the size then ends the compound before the file has the name by which
 * others find it. What a compound has no room for goes by itself.
 */
export async function createLinked(
  runner: CompoundRunner,
  made: Made,
  content: Uint8Array,
  target: NameBelow,
  request: Request,
): Promise<FileHandle> {
  const written = [write(0n, content, "file-sync"), verifySize(content.length)] as const;
  const operations = [...made, ...written, ...linkTo(target)];
  const { operationsMax, limits } = runner;
  const fits = operations.length <= operationsMax && content.length <= limits.requestBytesMax - restBytesMax;
  const reply = await runner.attempt(fits ? operations : made, request);
  const handle = reply.results[handleIndex] as FileHandle | undefined; // if it came so far
  if (reply.status === "error") {
    const isCut = reply.code === status.notSame || isInterruption(reply.code);
    if (handle === undefined || !isCut) throw runner.failure(operations, reply, request);
  } else if (fits) return handle as FileHandle; // all have answered
  return await finish(runner, handle as FileHandle, content, target, request);
}

async function finish(
  runner: CompoundRunner,
  handle: FileHandle,
  content: Uint8Array,
  target: NameBelow,
  request: Request,
): Promise<FileHandle> {
  try {
    await writeRest(runner, handle, content, 0, request);
    await linkAlone(runner, handle, target, request);
  } catch (error) {
    throw afterChange(error);
  }
  return handle;
}
