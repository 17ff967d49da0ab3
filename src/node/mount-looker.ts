import type { Helpers } from "./helpers.ts";
import { type Mount, type MountTableReader, readMountTable } from "./mount-table.ts";
import { nodeLimits } from "./node-limits.ts";
import { parseNodePath } from "./node-path.ts";
import { survey } from "./survey.ts";

/** What is mounted at a path that a caller names. */
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
    const there = (await readTable()).at(path);
    if (there !== undefined) return there;
    const view = await survey(parts, { volumeId, path: parseNodePath(path, "volume path") }, signal);
    return view.table.at(view.path);
  };
}
