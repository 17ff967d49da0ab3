import type { FileHandle, FileNode } from "../file.ts";
import type { Request } from "../request.ts";
import { getattr } from "./getattr.ts";
import type { ProcedureRunner } from "./runner.ts";
import { write } from "./write.ts";

/** The first bytes of a new file by WRITE (RFC 1813 §3.3.7), durable when it returns. */
export async function writeNew(
  runner: ProcedureRunner,
  handle: FileHandle,
  content: Uint8Array,
  writeBytesMax: number,
  request: Request,
): Promise<FileNode> {
  let doneBytes = 0;
  while (doneBytes < content.length) {
    const piece = content.subarray(doneBytes, doneBytes + writeBytesMax);
    const { writtenBytes } = await runner.run(write(handle, BigInt(doneBytes), piece, "file-sync"), request);
    doneBytes += writtenBytes;
  }
  return { handle, attributes: await runner.run(getattr(handle), request) };
}
