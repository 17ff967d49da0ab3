import type { RpcConnection } from "../../rpc/connection.ts";
import type { Program } from "../../rpc/message.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import { callError, statusError } from "../diagnosis.ts";
import type { FileHandle } from "../file.ts";
import { nfsLimits } from "../limits.ts";
import type { Request } from "../request.ts";
import { status } from "../status.ts";
import { readFileHandle } from "./procedure.ts";

/** RFC 1813 §5.1. */
export const mountProgram: Program = { name: "MOUNT", number: 100005, version: 3 };
const mnt = 1;

/**
 * MNT (RFC 1813 §5.2.1): the handle of an exported path, or of a directory below one. UMNT is never
 * called: the server's list of mounts (§5.2.3) counts addresses, and the node's kernel has ours too.
 * @throws NfsError
 */
export async function mount(connection: RpcConnection, path: string, request: Request): Promise<FileHandle> {
  const site = { ...request.site, operation: "MNT" };
  if (Buffer.byteLength(path) > nfsLimits.exportPathBytesMax) {
    throw statusError(site, status.nametoolong, "not-done");
  }
  try {
    const { results } = await connection.call({
      program: mountProgram,
      procedure: mnt,
      name: "MNT",
      credentials: request.credentials,
      deadlineMs: request.deadlineMs,
      signal: request.signal,
      encode: (writer) => void writer.text(path),
    });
    const code = results.uint32();
    if (code !== status.ok) throw statusError(site, code, "not-done");
    const { handle, flavors } = readMounted(results);
    if (flavors.length > 0 && !flavors.some(isUsable)) throw statusError(site, status.wrongsec, "not-done");
    return handle;
  } catch (error) {
    throw callError(site, error, true);
  }
}

/** `mountres3_ok` (RFC 1813 §5.2.1). @throws XdrError */
export function readMounted(reader: XdrReader): { readonly handle: FileHandle; readonly flavors: number[] } {
  return { handle: readFileHandle(reader), flavors: reader.array(flavorsMax, (each) => each.uint32()) };
}

const flavorsMax = 32;

/** AUTH_NONE and AUTH_SYS (RFC 5531 §8.2); the others are Kerberos'. */
function isUsable(flavor: number): boolean {
  return flavor <= 1;
}
