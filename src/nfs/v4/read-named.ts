import type { FileAttributes, FileHandle, FileName, FileNode, ReadResult } from "../file.ts";
import type { Request } from "../request.ts";
import { status } from "../status.ts";
import { getfh, putfh } from "./filehandle.ts";
import { getattr } from "./getattr.ts";
import { lookup } from "./lookup.ts";
import { read } from "./read.ts";
import { resolve } from "./resolve.ts";
import type { CompoundRunner } from "./runner.ts";

/** LOOKUPs (RFC 8881 §18.13), and a READ (§18.22) of what is there, in one compound where that holds them. */
export async function readNamed(
  runner: CompoundRunner,
  directory: FileHandle,
  names: readonly FileName[],
  lengthBytes: number,
  request: Request,
): Promise<FileNode & ReadResult> {
  const last = names.slice(-(runner.operationsMax - 4)); // beside PUTFH, GETFH, GETATTR, READ
  const before = names.slice(0, names.length - last.length);
  const from =
    before.length === 0 ? directory : (await resolve(runner, putfh(directory), before, request)).handle;
  const way = [putfh(from), ...last.map(lookup)];
  const operations = [...way, getfh, getattr, read(0n, lengthBytes)];
  const reply = await runner.attempt(operations, request);
  if (reply.status === "error") {
    // READ's word for a symbolic link (RFC 8881 §18.22.4), which is none on the way here
    const isLink = reply.code === status.symlink && reply.index === operations.length - 1;
    throw runner.failure(operations, isLink ? { ...reply, code: status.wrongType } : reply, request);
  }
  const results: readonly unknown[] = reply.results;
  // in the order of the operations
  const [handle, attributes, result] = results.slice(way.length) as [FileHandle, FileAttributes, ReadResult];
  return { handle, attributes, ...result };
}
