import { XdrError } from "../../xdr/xdr-error.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { EntryDetail } from "../client.ts";
import { isDots, readEntryName } from "../entry-name.ts";
import type { DirectoryEntry, DirectoryPage, DirectoryPosition, FileHandle, FileName } from "../file.ts";
import { nfsLimits } from "../limits.ts";
import { nextPosition } from "../readdir-pages.ts";
import { cookieBytes, verifierBytes } from "../wire.ts";
import { readPostOpAttributes, skipPostOpAttributes } from "./attributes.ts";
import { type Procedure, readFileHandle, skipFileHandle } from "./procedure.ts";

/** READDIRPLUS (RFC 1813 §3.3.17), or READDIR (§3.3.16) where only names count, of one page. */
export function readdir(
  directory: FileHandle,
  from: DirectoryPosition,
  detail: EntryDetail,
  pageBytesMax: number,
): Procedure<DirectoryPage> {
  return {
    number: detail === "names" ? 16 : 17,
    name: detail === "names" ? "READDIR" : "READDIRPLUS",
    encode: (writer) => {
      writer.byteString(directory).uint64(from.cookie).fixedOpaque(from.verifier);
      if (detail !== "names") writer.uint32(pageBytesMax); // of names and cookies alone
      writer.uint32(pageBytesMax);
    },
    decode: (reader) => readPage(reader, from, detail),
  };
}

function readPage(reader: XdrReader, from: DirectoryPosition, detail: EntryDetail): DirectoryPage {
  skipPostOpAttributes(reader);
  const verifier = Buffer.from(reader.fixedOpaque(verifierBytes));
  const entries: DirectoryEntry[] = [];
  let told = 0;
  let cookieAt: number | undefined;
  while (reader.boolean()) {
    if (told++ >= nfsLimits.pageEntriesMax) throw new XdrError("too many entries in one page");
    const fileid = reader.uint64();
    const name = readEntryName(reader);
    cookieAt = reader.offset;
    reader.skip(cookieBytes);
    const entry = detail === "names" ? { name, fileid } : readPlus(reader, name, fileid, detail === "brief");
    if (!isDots(name)) entries.push(entry);
  }
  const eof = reader.boolean();
  if (eof) return { entries };
  const cookie = cookieAt === undefined ? from.cookie : reader.uint64At(cookieAt);
  return { entries, next: nextPosition(from, cookie, verifier, told) };
}

function readPlus(reader: XdrReader, name: FileName, fileid: bigint, isBrief: boolean): DirectoryEntry {
  const attributes = readPostOpAttributes(reader);
  if (isBrief && attributes !== undefined && attributes.type !== "directory") {
    if (reader.boolean()) skipFileHandle(reader);
    return { name, fileid, attributes };
  }
  const handle = reader.optional(readFileHandle);
  if (attributes === undefined) return handle === undefined ? { name, fileid } : { name, fileid, handle };
  return handle === undefined ? { name, fileid, attributes } : { name, fileid, attributes, handle };
}
