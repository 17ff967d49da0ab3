import { XdrError } from "../../xdr/xdr-error.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { XdrWriter } from "../../xdr/xdr-writer.ts";
import type {
  AttributeChanges,
  DirectoryEntry,
  FileAttributes,
  FileHandle,
  FileName,
  FileTime,
  FileType,
} from "../file.ts";
import { nfsLimits } from "../limits.ts";
import { type Bitmap, bitmapOf, has, readBitmap } from "./bitmap.ts";
import { readFileHandle, skipFileHandle } from "./filehandle.ts";

/** Attribute numbers (RFC 8881 §5.8). */
const attribute = {
  type: 1,
  change: 3,
  size: 4,
  fsid: 8,
  rdattrError: 11,
  filehandle: 19,
  fileid: 20,
  mode: 33,
  numlinks: 35,
  owner: 36,
  ownerGroup: 37,
  spaceUsed: 45,
  timeAccess: 47,
  timeAccessSet: 48,
  timeMetadata: 52,
  timeModify: 53,
  timeModifySet: 54,
} as const;

const described = [
  attribute.type,
  attribute.change,
  attribute.size,
  attribute.fsid,
  attribute.fileid,
  attribute.mode,
  attribute.numlinks,
  attribute.owner,
  attribute.ownerGroup,
  attribute.spaceUsed,
  attribute.timeAccess,
  attribute.timeMetadata,
  attribute.timeModify,
];

/** What `readFileAttributes` reads, by the numbers of RFC 8881 §5.6 and §5.7. */
export const fileAttributes: Bitmap = bitmapOf(...described);
/** The same for an entry of a directory, with its handle, or the reason why it has none. */
export const entryAttributes: Bitmap = bitmapOf(...described, attribute.rdattrError, attribute.filehandle);
/** For an entry of which only the name counts. */
export const nameAttributes: Bitmap = bitmapOf(attribute.rdattrError, attribute.fileid);
const known = entryAttributes;

/** `fattr4` (RFC 8881 §3.3.7) of one file. @throws XdrError also without a type */
export function readFileAttributes(reader: XdrReader): FileAttributes {
  const { attributes } = readEntry(reader, "", false);
  if (attributes === undefined) throw new XdrError("attributes without a type");
  return attributes;
}

/**
 * `fattr4` (RFC 8881 §3.3.7) of a directory's entry: values stand in the order of their numbers. Nothing but the fileid
 * where the server had an error.
 * @param isBrief whether only a directory's handle is kept
 */
export function readEntry(reader: XdrReader, name: FileName, isBrief: boolean): DirectoryEntry {
  const bitmap = readBitmap(reader, entryAttributes);
  if ((bitmap[0] & ~known[0]) | (bitmap[1] & ~known[1]) | (bitmap[2] & ~known[2])) {
    throw new XdrError("attributes that were not asked for");
  }
  const lengthBytes = reader.uint32();
  const start = reader.offset;
  const entry = readValues(reader, bitmap, name, isBrief);
  if (reader.offset - start !== lengthBytes) throw new XdrError("attributes of another length than stated");
  return entry;
}

function readValues(reader: XdrReader, bitmap: Bitmap, name: FileName, isBrief: boolean): DirectoryEntry {
  const typed = has(bitmap, attribute.type);
  const type = typed ? fileTypeOf(reader.uint32()) : "other";
  const change = has(bitmap, attribute.change) ? reader.uint64() : 0n;
  const sizeBytes = has(bitmap, attribute.size) ? reader.uint64() : 0n;
  const fsid = has(bitmap, attribute.fsid) ? readFsid(reader) : 0n;
  if (has(bitmap, attribute.rdattrError)) reader.uint32();
  const isKept = !isBrief || !typed || type === "directory";
  const handle = has(bitmap, attribute.filehandle) ? handleOf(reader, isKept) : undefined;
  const fileid = has(bitmap, attribute.fileid) ? reader.uint64() : 0n;
  if (!typed) return handle === undefined ? { name, fileid } : { name, fileid, handle };
  const mode = has(bitmap, attribute.mode) ? reader.uint32() & 0o7777 : 0;
  const links = has(bitmap, attribute.numlinks) ? reader.uint32() : 1;
  const uid = has(bitmap, attribute.owner) ? readOwner(reader) : nobody;
  const gid = has(bitmap, attribute.ownerGroup) ? readOwner(reader) : nobody;
  const usedBytes = has(bitmap, attribute.spaceUsed) ? reader.uint64() : sizeBytes;
  const accessed = has(bitmap, attribute.timeAccess) ? readTime(reader, epoch) : epoch;
  const changed = has(bitmap, attribute.timeMetadata) ? readTime(reader, accessed) : epoch;
  const modified = has(bitmap, attribute.timeModify) ? readTime(reader, changed) : epoch;
  const attributes: FileAttributes = {
    type,
    change,
    sizeBytes,
    fsid,
    fileid,
    mode,
    links,
    uid,
    gid,
    usedBytes,
    accessed,
    changed,
    modified,
  };
  return handle === undefined ? { name, fileid, attributes } : { name, fileid, attributes, handle };
}

function handleOf(reader: XdrReader, isKept: boolean): FileHandle | undefined {
  if (isKept) return readFileHandle(reader);
  skipFileHandle(reader);
  return undefined;
}

const epoch: FileTime = { seconds: 0, nanoseconds: 0 };

/** `nfs_ftype4` (RFC 8881 §3.2), from 1. */
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

function fileTypeOf(code: number): FileType {
  return fileTypes[code] ?? "other";
}

/** `fsid4` (RFC 8881 §3.3.5): both halves in one number. */
function readFsid(reader: XdrReader): bigint {
  const [a, b, c, d] = lastFsid.words;
  const [e, f, g, h] = [reader.uint32(), reader.uint32(), reader.uint32(), reader.uint32()];
  if (a === e && b === f && c === g && d === h) return lastFsid.value;
  const value = (BigInt(e) << 96n) | (BigInt(f) << 64n) | (BigInt(g) << 32n) | BigInt(h);
  lastFsid = { words: [e, f, g, h], value };
  return value;
}

/** All of a tree mostly have the same: then it need not be made for each of its entries. */
let lastFsid = { words: [0, 0, 0, 0] as readonly [number, number, number, number], value: 0n };

/** `nfstime4` (RFC 8881 §3.3.1). A file's times are often the same: then they are one object. */
function readTime(reader: XdrReader, before: FileTime): FileTime {
  const seconds = reader.int64AsNumber();
  const nanoseconds = reader.uint32();
  if (seconds === before.seconds && nanoseconds === before.nanoseconds) return before;
  return { seconds, nanoseconds };
}

const nobody = 0xffff_fffe;

/** An owner is text; with AUTH_SYS a decimal number (RFC 8881 §5.9). */
function readOwner(reader: XdrReader): number {
  const id = reader.decimal(nfsLimits.ownerBytesMax);
  return id !== undefined && id <= 0xffff_ffff ? id : nobody;
}

/** `fattr4` (RFC 8881 §3.3.7) of what shall be set; see `AttributeChanges`. */
export function writeAttributeChanges(writer: XdrWriter, changes: AttributeChanges): void {
  const { sizeBytes, mode, uid, gid, accessed, modified } = changes;
  const bitmap = writer.uint32(2).lengthBytes; // its words follow when they are known
  const length = writer.uint32(0).uint32(0).lengthBytes;
  const start = writer.uint32(0).lengthBytes;
  const words: [number, number] = [0, 0];
  const add = <T>(number: number, value: T | undefined, write: (value: T) => void) => {
    if (value === undefined) return;
    words[number < 32 ? 0 : 1] |= 1 << (number & 31);
    write(value);
  };
  add(attribute.size, sizeBytes, (size) => writer.uint64(size));
  add(attribute.mode, mode, (bits) => writer.uint32(bits));
  add(attribute.owner, uid, (id) => writer.text(String(id)));
  add(attribute.ownerGroup, gid, (id) => writer.text(String(id)));
  add(attribute.timeAccessSet, accessed, (time) => writeTimeToSet(writer, time));
  add(attribute.timeModifySet, modified, (time) => writeTimeToSet(writer, time));
  writer.patchUint32(bitmap, words[0] >>> 0);
  writer.patchUint32(bitmap + 4, words[1] >>> 0);
  writer.patchUint32(length, writer.lengthBytes - start);
}

/** `settime4` (RFC 8881 §3.3.9) */
function writeTimeToSet(writer: XdrWriter, time: FileTime | "now"): void {
  if (time === "now") writer.uint32(0);
  else writer.uint32(1).int64(BigInt(time.seconds)).uint32(time.nanoseconds);
}
