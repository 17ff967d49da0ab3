/**
 * Replies of real servers, as `record.ts` wrote them down, and how each is decoded: by the same code as when it came.
 */
import { readFileSync } from "node:fs";
import type { FileHandle } from "../../../src/nfs/file.ts";
import { firstPosition } from "../../../src/nfs/readdir-pages.ts";
import { copied } from "../../../src/nfs/taking.ts";
import { access as access3 } from "../../../src/nfs/v3/access.ts";
import { commit as commit3 } from "../../../src/nfs/v3/commit.ts";
import { createNew } from "../../../src/nfs/v3/create.ts";
import { readExports } from "../../../src/nfs/v3/export.ts";
import { fsinfo } from "../../../src/nfs/v3/fsinfo.ts";
import { fsstat as fsstat3 } from "../../../src/nfs/v3/fsstat.ts";
import { getattr as getattr3 } from "../../../src/nfs/v3/getattr.ts";
import { link as link3 } from "../../../src/nfs/v3/link.ts";
import { lookup as lookup3 } from "../../../src/nfs/v3/lookup.ts";
import { mkdir as mkdir3 } from "../../../src/nfs/v3/mkdir.ts";
import { readMounted } from "../../../src/nfs/v3/mount.ts";
import type { Procedure } from "../../../src/nfs/v3/procedure.ts";
import { read as read3 } from "../../../src/nfs/v3/read.ts";
import { readdir as readdir3 } from "../../../src/nfs/v3/readdir.ts";
import { readlink as readlink3 } from "../../../src/nfs/v3/readlink.ts";
import { remove as remove3, rmdir as rmdir3 } from "../../../src/nfs/v3/remove.ts";
import { rename as rename3 } from "../../../src/nfs/v3/rename.ts";
import { setattr as setattr3 } from "../../../src/nfs/v3/setattr.ts";
import { symlink as symlink3 } from "../../../src/nfs/v3/symlink.ts";
import { write as write3 } from "../../../src/nfs/v3/write.ts";
import { access } from "../../../src/nfs/v4/access.ts";
import { clone } from "../../../src/nfs/v4/clone.ts";
import { commit } from "../../../src/nfs/v4/commit.ts";
import { readCompoundHeader, readResults } from "../../../src/nfs/v4/compound.ts";
import { copy } from "../../../src/nfs/v4/copy.ts";
import { closeNew, openNew } from "../../../src/nfs/v4/create.ts";
import { getfh, putfh, putrootfh, savefh } from "../../../src/nfs/v4/filehandle.ts";
import { fsstat } from "../../../src/nfs/v4/fsstat.ts";
import { getattr } from "../../../src/nfs/v4/getattr.ts";
import { link } from "../../../src/nfs/v4/link.ts";
import { lookup } from "../../../src/nfs/v4/lookup.ts";
import { mkdir } from "../../../src/nfs/v4/mkdir.ts";
import { nothing, type Operation } from "../../../src/nfs/v4/operation.ts";
import { read } from "../../../src/nfs/v4/read.ts";
import { readdir } from "../../../src/nfs/v4/readdir.ts";
import { readlink } from "../../../src/nfs/v4/readlink.ts";
import { remove } from "../../../src/nfs/v4/remove.ts";
import { rename } from "../../../src/nfs/v4/rename.ts";
import { seek } from "../../../src/nfs/v4/seek.ts";
import { readSequence } from "../../../src/nfs/v4/sequence.ts";
import {
  createSession,
  destroyClientid,
  destroySession,
  exchangeId,
  leaseSeconds,
  reclaimComplete,
  transferLimits,
} from "../../../src/nfs/v4/session-operations.ts";
import { setattr } from "../../../src/nfs/v4/setattr.ts";
import { verifyDirectory } from "../../../src/nfs/v4/verify.ts";
import { write } from "../../../src/nfs/v4/write.ts";
import { getxattr, listxattrs, setxattr, xattrsSupported } from "../../../src/nfs/v4/xattr.ts";
import { XdrReader } from "../../../src/xdr/xdr-reader.ts";

/** One reply. */
export interface Recorded {
  /** The procedure of version 3 or MOUNT; absent for a compound. */
  readonly procedure?: string;
  /** What the compound asked for, by the names below; operations of GETATTR that differ have a word more. */
  readonly operations?: readonly string[];
  /** The procedure's results behind the RPC header, in hexadecimal. */
  readonly results: string;
  /** What they mean, as `asJson` shows it. */
  readonly decoded: unknown;
}

export const recordings = ["ganesha-3", "ganesha-4.1", "knfsd-3", "knfsd-4.2"] as const;

export function fileOf(recording: string): string {
  return `${import.meta.dirname}/${recording}.jsonl`;
}

export function readRecording(recording: (typeof recordings)[number]): readonly Recorded[] {
  const lines = readFileSync(fileOf(recording), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

const file = "\0".repeat(8) as FileHandle;
const none = new Uint8Array(0);
const range = { sourceOffset: 0n, targetOffset: 0n, lengthBytes: 0n };
/** As long as any READ or WRITE that was recorded, and any page. */
const bytesMax = 65_536;
const data = new Uint8Array(bytesMax);

/** Behind an OK status; the arguments do not matter to what a reply means, within these bounds. */
const procedures: readonly Procedure<unknown>[] = [
  getattr3(file),
  setattr3(file, {}),
  lookup3(file, ""),
  access3(file, 0),
  readlink3(file),
  read3(file, 0n, bytesMax, copied),
  write3(file, 0n, data, "unstable"),
  createNew(file, "", {}),
  mkdir3(file, "", {}),
  symlink3(file, "", "", {}),
  remove3(file, ""),
  rmdir3(file, ""),
  rename3(file, "", file, ""),
  link3(file, file, ""),
  readdir3(file, firstPosition, "names", bytesMax),
  readdir3(file, firstPosition, "all", bytesMax),
  fsstat3(file),
  fsinfo(file),
  commit3(file),
];

/** SEQUENCE as an operation like others: a session reads it by itself. */
const sequence: Operation<unknown> = { code: 53, name: "SEQUENCE", encode: nothing, decode: readSequence };

const operations: readonly Operation<unknown>[] = [
  sequence,
  exchangeId({ verifier: none, id: none }),
  createSession({ clientId: 0n, sequence: 0 }),
  reclaimComplete,
  destroySession(none),
  destroyClientid(0n),
  putfh(file),
  putrootfh,
  savefh,
  getfh,
  getattr,
  setattr({}),
  lookup(""),
  access(0),
  readlink,
  read(0n, bytesMax, copied),
  write(0n, data, "unstable"),
  commit,
  openNew(0n, "", {}),
  closeNew,
  mkdir("", {}),
  remove(""),
  rename("", ""),
  link(""),
  readdir(firstPosition, "all", bytesMax),
  verifyDirectory,
  clone(range),
  copy(range),
  seek(0n, "data"),
  getxattr(""),
  setxattr("", none),
  listxattrs(0n, bytesMax),
];

/** GETATTRs of something else than a file, which their objects tell apart. */
const otherGetattrs = new Map<string, Operation<unknown>>([
  ["GETATTR lease", leaseSeconds],
  ["GETATTR transfer", transferLimits],
  ["GETATTR space", fsstat],
  ["GETATTR xattrs", xattrsSupported],
]);

const byName = new Map([...operations.map((each) => [each.name, each] as const), ...otherGetattrs]);
const procedureByName = new Map(procedures.map((each) => [each.name, each]));

/** The name that stands in recordings. */
export function recordedName(operation: Operation<unknown>): string {
  for (const [name, other] of otherGetattrs) if (other === operation) return name;
  return operation.name;
}

/** @throws XdrError for bytes that are no such reply */
export function decodeReply(reply: Pick<Recorded, "procedure" | "operations">, results: Buffer): unknown {
  const reader = new XdrReader(results);
  if (reply.operations !== undefined) {
    const asked = reply.operations.map((name) => found(byName, name));
    return readResults(reader, readCompoundHeader(reader), asked);
  }
  const { procedure = "" } = reply;
  if (procedure === "EXPORT") return readExports(reader);
  const code = reader.uint32();
  if (code !== 0) return { status: "error", code };
  return procedure === "MNT" ? readMounted(reader) : found(procedureByName, procedure).decode(reader);
}

function found<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined) throw new TypeError(`nothing is known of ${name}`);
  return value;
}

/** The names of everything that can be decoded. */
export const allNames: readonly string[] = [...procedureByName.keys(), "MNT", "EXPORT", ...byName.keys()];

/** A decoded value as JSON has it: whole numbers and bytes as texts; handles, which no text looks like, as bytes. */
export function asJson(value: unknown): unknown {
  if (typeof value === "string" && value.includes("\0")) return Buffer.from(value, "latin1").toString("hex");
  if (typeof value === "bigint") return `${value}`;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(asJson);
  if (value === undefined) return null;
  if (value === null || typeof value !== "object") return value;
  const told = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(told.map(([key, each]) => [key, asJson(each)]));
}
