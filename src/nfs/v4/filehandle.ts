import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { FileHandle } from "../file.ts";
import { nfsLimits } from "../limits.ts";
import { nothing, type Operation } from "./operation.ts";

/** PUTFH (RFC 8881 §18.19): what the next operations are about. */
export function putfh(file: FileHandle): Operation<void> {
  return { code: 22, name: "PUTFH", encode: (writer) => void writer.byteString(file), decode: nothing };
}

/** PUTROOTFH (RFC 8881 §18.21): the server's pseudo-root. */
export const putrootfh: Operation<void> = { code: 24, name: "PUTROOTFH", encode: nothing, decode: nothing };

/** SAVEFH (RFC 8881 §18.28): the source of what follows. */
export const savefh: Operation<void> = { code: 32, name: "SAVEFH", encode: nothing, decode: nothing };

/** RESTOREFH (RFC 8881 §18.27): back to what was saved. */
export const restorefh: Operation<void> = { code: 31, name: "RESTOREFH", encode: nothing, decode: nothing };

/** GETFH (RFC 8881 §18.8) */
export const getfh: Operation<FileHandle> = {
  code: 10,
  name: "GETFH",
  encode: nothing,
  decode: readFileHandle,
};

/** `nfs_fh4` (RFC 8881 §3.3.1) */
export function readFileHandle(reader: XdrReader): FileHandle {
  return reader.byteString(nfsLimits.handleBytesMax) as FileHandle;
}

/** `nfs_fh4` (RFC 8881 §3.3.1) that nobody asks for. */
export function skipFileHandle(reader: XdrReader): void {
  reader.skipOpaque(nfsLimits.handleBytesMax);
}
