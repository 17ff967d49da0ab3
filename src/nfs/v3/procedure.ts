import type { Program } from "../../rpc/message.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { XdrWriter } from "../../xdr/xdr-writer.ts";
import type { FileHandle } from "../file.ts";

/** RFC 1813 §3. */
export const nfs3Program: Program = { name: "NFS", number: 100003, version: 3 };

/** One procedure (RFC 1813 §3.3) with its arguments. */
export interface Procedure<Result> {
  readonly number: number;
  /** As the RFC writes it. */
  readonly name: string;
  /** That running it twice is not the same as once: after a repeated call EXIST and NOENT prove nothing. */
  readonly once?: boolean;
  encode(writer: XdrWriter): void;
  /** What stands behind an OK status. @throws XdrError */
  decode(reader: XdrReader): Result;
}

/** NFS3_FHSIZE (RFC 1813 §2.4). */
const handleBytesMax = 64;

/** `nfs_fh3` (RFC 1813 §2.5) */
export function readFileHandle(reader: XdrReader): FileHandle {
  return reader.byteString(handleBytesMax) as FileHandle;
}

/** `nfs_fh3` (RFC 1813 §2.5) that nobody asks for. */
export function skipFileHandle(reader: XdrReader): void {
  reader.skipOpaque(handleBytesMax);
}
