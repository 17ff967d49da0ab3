import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { FileHandle } from "../file.ts";
import { nfsLimits } from "../limits.ts";
import type { Request } from "../request.ts";
import { bitmapOf, has, readBitmap, writeBitmap } from "./bitmap.ts";
import { skipChangeInfo } from "./change-info.ts";
import { putfh } from "./filehandle.ts";
import type { Gather } from "./gather.ts";
import type { Operation } from "./operation.ts";
import type { Task } from "./run-each.ts";
import type { CompoundRunner } from "./runner.ts";

const setEither = 0;
const xattrSupport = 82;

/** GETATTR of xattr_support (RFC 8276 §8.2): whether this file system has them. */
export const xattrsSupported: Operation<boolean> = {
  code: 9,
  name: "GETATTR",
  encode: (writer) => writeBitmap(writer, bitmapOf(xattrSupport)),
  decode: (reader) => {
    const told = has(readBitmap(reader), xattrSupport);
    return reader.uint32() > 0 && told ? reader.boolean() : false;
  },
};

/** GETXATTR (RFC 8276 §8.4.1) */
export function getxattr(name: string): Operation<Uint8Array> {
  return {
    code: 72,
    name: "GETXATTR",
    encode: (writer) => void writer.text(name),
    decode: (reader) => Buffer.from(reader.opaque(nfsLimits.xattrValueBytesMax)),
  };
}

/** SETXATTR (RFC 8276 §8.4.2), whether or not it is there already. */
export function setxattr(name: string, value: Uint8Array): Operation<void> {
  return {
    code: 73,
    name: "SETXATTR",
    encode: (writer) => void writer.uint32(setEither).text(name).opaque(value),
    decode: skipChangeInfo,
  };
}

export interface XattrPage {
  readonly names: readonly string[];
  readonly cookie: bigint;
  readonly eof: boolean;
}

/** LISTXATTRS (RFC 8276 §8.4.3), one page. */
export function listxattrs(cookie: bigint, bytesMax: number): Operation<XattrPage> {
  return {
    code: 74,
    name: "LISTXATTRS",
    encode: (writer) => void writer.uint64(cookie).uint32(bytesMax),
    decode: readXattrPage,
  };
}

function readXattrPage(reader: XdrReader): XattrPage {
  const cookie = reader.uint64();
  const names = reader.array(nfsLimits.xattrNamesMax, (each) => each.text(nfsLimits.xattrNameBytesMax));
  return { cookie, names, eof: reader.boolean() };
}

/** The first page of a file's list (LISTXATTRS, RFC 8276 §8.4.3). */
export function firstXattrs(file: FileHandle): readonly [Operation<void>, Operation<XattrPage>] {
  return [putfh(file), listxattrs(0n, pageBytesMax)];
}

const pageBytesMax = nfsLimits.headerBytesMax * 4;

/** How many first pages one compound holds, and its answer. */
export function xattrListsPerCompound({ operationsMax, limits }: CompoundRunner): number {
  const byReply = Math.floor((limits.responseBytesMax - nfsLimits.headerBytesMax) / pageBytesMax);
  return Math.max(1, Math.min(Math.floor(operationsMax / 2), byReply));
}

/** LISTXATTRS (RFC 8276 §8.4.3), page after page. @throws NfsError; stops at our bound of names */
export async function listAllXattrs(
  runner: CompoundRunner,
  gather: Gather<Task<ReturnType<typeof firstXattrs>>>,
  file: FileHandle,
  request: Request,
): Promise<readonly string[]> {
  const names: string[] = [];
  let [, page] = await gather.run({ operations: firstXattrs(file), request });
  names.push(...page.names);
  while (!page.eof && page.names.length > 0 && names.length < nfsLimits.xattrNamesMax) {
    [, page] = await runner.run([putfh(file), listxattrs(page.cookie, pageBytesMax)] as const, request);
    names.push(...page.names);
  }
  return names;
}
