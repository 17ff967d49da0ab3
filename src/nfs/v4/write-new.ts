import type { FileHandle, FileNode } from "../file.ts";
import { nfsLimits } from "../limits.ts";
import type { Request } from "../request.ts";
import { putfh } from "./filehandle.ts";
import { getattr } from "./getattr.ts";
import type { Operation } from "./operation.ts";
import type { CompoundRunner } from "./runner.ts";
import { write } from "./write.ts";

/** PUTFH of the directory, OPEN, CLOSE, GETFH. */
export type Made = readonly [Operation<void>, Operation<void>, Operation<void>, Operation<FileHandle>];

/**
 * A new file with its first bytes, by OPEN (RFC 8881 §18.16) and WRITE (§18.32) in one compound. It is closed
 * before it is written: so a WRITE that fails leaves nothing open at the server.
 */
export async function writeNew(
  runner: CompoundRunner,
  made: Made,
  content: Uint8Array,
  request: Request,
): Promise<FileNode> {
  const operations = [...made, write(0n, content, "file-sync"), getattr] as const;
  const [, , , handle, written, attributes] = await runner.run(operations, request);
  if (written.writtenBytes === content.length) return { handle, attributes };
  await writeRest(runner, handle, content, written.writtenBytes, request);
  const [, now] = await runner.run([putfh(handle), getattr] as const, request);
  return { handle, attributes: now };
}

/** What a WRITE has left over, durably. */
export async function writeRest(
  runner: CompoundRunner,
  file: FileHandle,
  content: Uint8Array,
  fromBytes: number,
  request: Request,
): Promise<void> {
  for (let doneBytes = fromBytes; doneBytes < content.length; ) {
    const piece = content.subarray(doneBytes, doneBytes + nfsLimits.transferBytesMax);
    const rest = write(BigInt(doneBytes), piece, "file-sync");
    const [, more] = await runner.run([putfh(file), rest] as const, request);
    doneBytes += more.writtenBytes;
  }
}
