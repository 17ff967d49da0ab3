import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { XdrWriter } from "../../xdr/xdr-writer.ts";
import type { AttributeChanges, FileAttributes, FileTime, FileType } from "../file.ts";

/** `ftype3` (RFC 1813 §2.5), from 1. */
const fileTypes: readonly FileType[] = [
  "other",
  "file",
  "directory",
  "block-device",
  "character-device",
  "symlink",
  "socket",
  "fifo",
];

/** Of `fattr3` on the wire. */
const attributesBytes = 84;

/** `fattr3` (RFC 1813 §2.5) */
export function readFileAttributes(reader: XdrReader): FileAttributes {
  const type = fileTypes[reader.uint32()] ?? "other";
  const mode = reader.uint32() & 0o7777;
  const links = reader.uint32();
  const uid = reader.uint32();
  const gid = reader.uint32();
  const sizeBytes = reader.uint64();
  const usedBytes = reader.uint64();
  reader.skip(8); // device numbers
  const fsid = readFsid(reader);
  const fileid = reader.uint64();
  const accessed = readTime(reader);
  const modified = readTime(reader, accessed);
  const changedAt = reader.offset;
  const changed = readTime(reader, modified);
  const change = reader.uint64At(changedAt);
  return {
    type,
    mode,
    links,
    uid,
    gid,
    sizeBytes,
    usedBytes,
    fsid,
    fileid,
    change,
    accessed,
    modified,
    changed,
  };
}

/** All of a tree mostly have the same: then it need not be made for each of its entries. */
function readFsid(reader: XdrReader): bigint {
  const [first, second] = [reader.uint32(), reader.uint32()];
  if (first !== lastFsid.first || second !== lastFsid.second)
    lastFsid = { first, second, value: (BigInt(first) << 32n) | BigInt(second) };
  return lastFsid.value;
}

let lastFsid = { first: 0, second: 0, value: 0n };

/** `nfstime3` (RFC 1813 §2.5). A file's times are often the same: then they are one object. */
function readTime(reader: XdrReader, before?: FileTime): FileTime {
  const seconds = reader.uint32();
  const nanoseconds = reader.uint32();
  if (before?.seconds === seconds && before.nanoseconds === nanoseconds) return before;
  return { seconds, nanoseconds };
}

/** `post_op_attr` (RFC 1813 §2.5): attributes that the server may leave out. */
export function readPostOpAttributes(reader: XdrReader): FileAttributes | undefined {
  return reader.boolean() ? readFileAttributes(reader) : undefined;
}

/** `post_op_attr` (RFC 1813 §2.5) where nobody asks for them. */
export function skipPostOpAttributes(reader: XdrReader): void {
  if (reader.boolean()) reader.skip(attributesBytes);
}

/** `wcc_data` (RFC 1813 §2.5), of which nothing here makes use: we cache no attributes. */
export function skipWeakCacheData(reader: XdrReader): void {
  if (reader.boolean()) reader.skip(8 + 8 + 8);
  skipPostOpAttributes(reader);
}

/** `sattr3` (RFC 1813 §2.5) of what shall be set. */
export function writeAttributeChanges(writer: XdrWriter, changes: AttributeChanges): void {
  writer.optional(changes.mode, (mode) => writer.uint32(mode));
  writer.optional(changes.uid, (uid) => writer.uint32(uid));
  writer.optional(changes.gid, (gid) => writer.uint32(gid));
  writer.optional(changes.sizeBytes, (sizeBytes) => writer.uint64(sizeBytes));
  writeTimeToSet(writer, changes.accessed);
  writeTimeToSet(writer, changes.modified);
}

const keep = 0;
const serverTime = 1;
const clientTime = 2;

/** `set_atime`, `set_mtime` (RFC 1813 §2.5): v3 has no time before 1970 or after 2106. */
function writeTimeToSet(writer: XdrWriter, time: FileTime | "now" | undefined): void {
  if (time === undefined) writer.uint32(keep);
  else if (time === "now") writer.uint32(serverTime);
  else {
    const seconds = Math.min(Math.max(0, time.seconds), 0xffff_ffff);
    writer.uint32(clientTime).uint32(seconds).uint32(time.nanoseconds);
  }
}
