import type { RpcConnection } from "../../rpc/connection.ts";
import { XdrError } from "../../xdr/xdr-error.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import { callError } from "../diagnosis.ts";
import { nfsLimits } from "../limits.ts";
import type { Request } from "../request.ts";
import { mountProgram } from "./mount.ts";

/** What a server says that it exports, and to whom. */
export interface ExportedPath {
  readonly path: string;
  /** Names, networks and netgroups as the server writes them; empty means everybody. */
  readonly clients: readonly string[];
}

const exportProcedure = 5;

/** EXPORT (RFC 1813 §5.2.5): all exports, as `showmount -e` lists them. @throws NfsError */
export async function fetchExports(
  connection: RpcConnection,
  request: Request,
): Promise<readonly ExportedPath[]> {
  try {
    const { results } = await connection.call({
      program: mountProgram,
      procedure: exportProcedure,
      name: "EXPORT",
      credentials: request.credentials,
      deadlineMs: request.deadlineMs,
      signal: request.signal,
      encode: () => {},
    });
    return readExports(results);
  } catch (error) {
    throw callError({ ...request.site, operation: "EXPORT" }, error, true);
  }
}

/** `exports` (RFC 1813 §5.2.5): a list of paths, each with a list of groups. @throws XdrError */
export function readExports(reader: XdrReader): readonly ExportedPath[] {
  return readList(reader, nfsLimits.exportsMax, () => ({
    path: reader.text(nfsLimits.exportPathBytesMax),
    clients: readList(reader, nfsLimits.exportClientsMax, () => reader.text(nfsLimits.nameBytesMax)),
  }));
}

function readList<T>(reader: XdrReader, itemsMax: number, readItem: () => T): readonly T[] {
  const items: T[] = [];
  while (reader.boolean()) {
    if (items.length >= itemsMax) throw new XdrError(`a list of more than ${itemsMax} items`);
    items.push(readItem());
  }
  return items;
}
