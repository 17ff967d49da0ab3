import { hasCode } from "../../core/errors.ts";
import type { FileNode, NfsClient } from "../../nfs/index.ts";

/** Whether a handle of another connection means the same thing on this one. */
export async function sameFile(
  client: NfsClient,
  { handle, attributes }: FileNode,
  signal: AbortSignal,
): Promise<boolean> {
  if (attributes.fsid !== client.root.attributes.fsid) return false;
  try {
    const { fsid, fileid } = await client.getattr(handle, { signal });
    return fsid === attributes.fsid && fileid === attributes.fileid;
  } catch (error) {
    if (hasCode(error, "storage-stale", "storage-access", "storage-unsupported", "storage-io")) return false;
    throw error;
  }
}
