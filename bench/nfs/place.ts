import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ConnectOptions, NfsVersion } from "../../src/nfs/index.ts";
import { type Ganesha, startGanesha } from "../../test/nfs/ganesha.ts";

/** What all measuring has in common. */
export interface Place {
  /** A directory on this machine's disk. */
  readonly directory: string;
  /** The measured process. */
  readonly command: readonly string[];
  /** What part of the full size is measured: 1, or less with `--quick`. */
  readonly scale: number;
  /** Files that `du` and `rm` of the kernel and of Berth are compared with; a tenth for copies. */
  readonly kernelFiles: number;
}

/** Where a server keeps its files: memory never waits, a disk does at every change. */
export type Medium = "memory" | "disk";

export const versions: readonly NfsVersion[] = ["3", "4.1"];

/** NFS-Ganesha that remembers all files, so that it is not measured how it forgets them. */
export async function ganeshaOn(medium: Medium, place: Place): Promise<Ganesha> {
  const files = 1_200_000;
  const own = { cachedFilesMax: files, leaseSeconds: 60 };
  if (medium === "memory") {
    return await startGanesha({ ...own, exports: [{ name: "data", sizeBytes: 8 * 2 ** 30, inodes: files }] });
  }
  const directory = join(place.directory, "disk");
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  return await startGanesha({ ...own, exports: [{ name: "data", directory }] });
}

export function serverOf(ganesha: Ganesha, version: NfsVersion, port = ganesha.nfsPort): ConnectOptions {
  const { address: host, mountPort } = ganesha;
  return { host, port, mountPort, path: "/srv/data", versions: [version], timeoutMs: 60_000 };
}
