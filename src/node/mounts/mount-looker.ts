import type { Helpers } from "../helpers/helpers.ts";
import { nodeLimits } from "../node-limits.ts";
import { isNfsMountOf } from "./mount-source.ts";
import { type Mount, type MountTable, type MountTableReader, readMountTable } from "./mount-table.ts";
import { parseNodePath } from "./node-path.ts";
import { survey } from "./survey.ts";

/** The volume's NFS mount at a path that a caller names; undefined where something else is, or nothing. */
export type MountLooker = (volumeId: string, path: string, signal: AbortSignal) => Promise<Mount | undefined>;

/** By the kernel's table: the path itself is not touched, since it may hang. What leads to it may be a symbolic link. */
export function mountLooker(
  helpers: Helpers,
  kubeletDir: string,
  readTable: MountTableReader = readMountTable,
): MountLooker {
  const parts = {
    helpers,
    readTable,
    kubeletDir: parseNodePath(kubeletDir, "kubelet directory"),
    limits: nodeLimits,
  };
  return async (volumeId, path, signal) => {
    if (!path.startsWith("/")) return undefined;
    const table = await readTable();
    const there = table.at(path);
    if (there !== undefined) return ofVolume(there, table, volumeId);
    const view = await survey(parts, { volumeId, path: parseNodePath(path, "volume path") }, signal);
    return ofVolume(view.table.at(view.path), view.table, volumeId);
  };
}

function ofVolume(mount: Mount | undefined, table: MountTable, volumeId: string): Mount | undefined {
  return mount !== undefined && isNfsMountOf(mount, table, volumeId, undefined) ? mount : undefined;
}
