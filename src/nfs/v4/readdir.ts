import { XdrError } from "../../xdr/xdr-error.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { EntryDetail } from "../client.ts";
import { isDots, readEntryName } from "../entry-name.ts";
import type { DirectoryEntry, DirectoryPage, DirectoryPosition } from "../file.ts";
import { nfsLimits } from "../limits.ts";
import { nextPosition } from "../readdir-pages.ts";
import { cookieBytes, verifierBytes } from "../wire.ts";
import { entryAttributes, nameAttributes, readEntry } from "./attributes.ts";
import { writeBitmap } from "./bitmap.ts";
import type { Operation } from "./operation.ts";

/** READDIR (RFC 8881 §18.23) of one page. */
export function readdir(
  from: DirectoryPosition,
  detail: EntryDetail,
  pageBytesMax: number,
): Operation<DirectoryPage> {
  return {
    code: 26,
    name: "READDIR",
    encode: (writer) => {
      writer.uint64(from.cookie).fixedOpaque(from.verifier);
      writer.uint32(pageBytesMax).uint32(pageBytesMax); // of names alone, and of everything
      writeBitmap(writer, detail === "names" ? nameAttributes : entryAttributes);
    },
    decode: (reader) => readPage(reader, from, detail === "brief"),
  };
}

/** `READDIR4resok` (RFC 8881 §18.23.2). v4 has no entries for `.` and `..`. */
function readPage(reader: XdrReader, from: DirectoryPosition, isBrief: boolean): DirectoryPage {
  const verifier = Buffer.from(reader.fixedOpaque(verifierBytes));
  const entries: DirectoryEntry[] = [];
  let cookieAt: number | undefined;
  while (reader.boolean()) {
    if (entries.length >= nfsLimits.pageEntriesMax) throw new XdrError("too many entries in one page");
    cookieAt = reader.offset;
    reader.skip(cookieBytes);
    const name = readEntryName(reader);
    if (isDots(name)) throw new XdrError("an entry for the directory itself");
    entries.push(readEntry(reader, name, isBrief));
  }
  const eof = reader.boolean();
  if (eof) return { entries };
  const cookie = cookieAt === undefined ? from.cookie : reader.uint64At(cookieAt);
  return { entries, next: nextPosition(from, cookie, verifier, entries.length) };
}
