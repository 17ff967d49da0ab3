import { XdrError } from "../xdr/xdr-error.ts";
import type { XdrReader } from "../xdr/xdr-reader.ts";
import type { Stability, WriteResult } from "./file.ts";

/** What v3 and v4 share on the wire. */

/** `stable_how` (RFC 1813 §3.3.7), `stable_how4` (RFC 8881 §18.32.1). */
export const stabilities: readonly Stability[] = ["unstable", "data-sync", "file-sync"];

/** Of writes, cookies and exclusive creation (RFC 1813 §2.4, RFC 8881 §3.1). */
export const verifierBytes = 8;

/** `cookie3`, `nfs_cookie4`: only the last one of a page is ever needed, so the others are not read. */
export const cookieBytes = 8;

/** `WRITE4resok` (RFC 8881 §18.32.2), and `WRITE3resok` (RFC 1813 §3.3.7) behind its attributes. @throws XdrError */
export function readWritten(reader: XdrReader, lengthBytes: number): WriteResult {
  const writtenBytes = reader.uint32();
  if (writtenBytes > lengthBytes) throw new XdrError("more written than was given");
  if (writtenBytes === 0 && lengthBytes > 0) throw new XdrError("nothing written, and yet no error");
  const stability = stabilities[reader.uint32()];
  if (stability === undefined) throw new XdrError("an unknown stable_how");
  return { writtenBytes, stability, verifier: Buffer.from(reader.fixedOpaque(verifierBytes)) };
}
