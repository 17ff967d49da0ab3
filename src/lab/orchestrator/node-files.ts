import { mkdir, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { BerthError } from "../../core/errors.ts";
import { volumeDataPath } from "./kubelet-paths.ts";

/** Kubelet's own doings in its directory; everything below a mount is the driver's. */
export interface NodeFiles {
  /** A directory with all above it, as kubelet makes the staging path and the target's parent. */
  makeDirectory(path: string): Promise<void>;
  /** What the mount at `path` is, noted beside it. */
  writeVolumeData(path: string, data: Readonly<Record<string, string>>): Promise<void>;
  /**
   * A mount point that the driver has given up, with what was noted beside it.
   * @throws BerthError `failed-precondition` when it is still mounted: kubelet never deletes through a mount
   */
  removeMountPoint(path: string): Promise<void>;
}

/** @param isMountPoint asks the node's own mount table */
export function nodeFiles(isMountPoint: (path: string) => boolean): NodeFiles {
  return {
    async makeDirectory(path) {
      await mkdir(path, { recursive: true, mode: 0o750 });
    },
    async writeVolumeData(path, data) {
      await writeFile(volumeDataPath(path), JSON.stringify(data), { mode: 0o644 });
    },
    async removeMountPoint(path) {
      if (isMountPoint(path)) {
        throw new BerthError(
          "failed-precondition",
          `${path} is still mounted after the driver said that it had unmounted it: nothing is removed`,
        );
      }
      await removeDirectory(path);
      await rm(volumeDataPath(path), { force: true });
      await removeDirectory(dirname(path));
    },
  };
}

async function removeDirectory(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (reason) {
    if (!(reason instanceof Error && "code" in reason && reason.code === "ENOENT")) throw reason;
  }
}
