import { BerthError } from "../core/errors.ts";
import { type Reply, stepError } from "./helper-script.ts";
import { type VolumeTree, wasMountOf } from "./mount-source.ts";
import type { Mount, MountTable, MountTableReader } from "./mount-table.ts";

export interface Unmounter {
  readonly readTable: MountTableReader;
  readonly step: (verb: "unmount" | "detach", path: string) => Promise<Reply>;
  /** How many mounts on top of each other are taken away. */
  readonly stackedMax: number;
}

/**
 * Takes away every mount of the volume at `path`, and nothing else. The mount table decides what is
 * there, before and after each step: umount's exit code says too little (32 may mean anything).
 * @param path resolved
 * @param tree undefined for a volume that is not ours, of which nothing can be unmounted
 * @param before the table as it is before the first step
 * @throws BerthError `failed-precondition` for a mount of something else
 */
export async function unmountAll(
  unmounter: Unmounter,
  volumeId: string,
  path: string,
  tree: VolumeTree | undefined,
  before: MountTable,
): Promise<void> {
  let table = before;
  for (let taken = 0; taken <= unmounter.stackedMax; taken++) {
    const mount = table.at(path);
    if (mount === undefined) return;
    if (tree === undefined || !wasMountOf(mount, tree)) throw notOurs(mount, volumeId);
    table = await unmountOne(unmounter, mount, volumeId);
  }
  throw new BerthError(
    "unavailable",
    `${path} still has mounts of volume ${volumeId} after ${unmounter.stackedMax} were taken away: retry`,
  );
}

/**
 * Plain first; lazily where somebody still uses it. Never by force: that is for a server, and this is a bind.
 * @returns the table without the mount
 */
async function unmountOne(
  { step, readTable }: Unmounter,
  mount: Mount,
  volumeId: string,
): Promise<MountTable> {
  const plain = await step("unmount", mount.mountPoint);
  const afterPlain = await readTable();
  if (!isIn(afterPlain, mount)) return afterPlain;
  const lazy = await step("detach", mount.mountPoint);
  const afterLazy = await readTable();
  if (!isIn(afterLazy, mount)) return afterLazy;
  const [verb, reply] = lazy.exitCode === 0 ? (["unmount", plain] as const) : (["detach", lazy] as const);
  throw stepError(verb, reply, `volume ${volumeId} at ${mount.mountPoint}`);
}

function isIn(table: MountTable, mount: Mount): boolean {
  return table.mounts.some(({ id }) => id === mount.id);
}

function notOurs(mount: Mount, volumeId: string): BerthError {
  return new BerthError(
    "failed-precondition",
    `${mount.mountPoint} is a mount of something else (${mount.source} ${mount.root}), not of volume ${volumeId}: ` +
      "unmount it by hand, or add the volume's share to this node's configuration",
  );
}
