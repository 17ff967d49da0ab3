import { BerthError } from "../../core/errors.ts";
import { type Reply, stepError } from "../helpers/helper-script.ts";
import { isNfsVolume } from "./mount-source.ts";
import { isWithin, type Mount, type MountTable, type MountTableReader } from "./mount-table.ts";

export type UnmountVerb = "unmount" | "force" | "detach";

export interface Unmounter {
  readonly readTable: MountTableReader;
  /** @param again whether an earlier step of the same call may still wait in the kernel */
  readonly step: (verb: UnmountVerb, path: string, again: boolean) => Promise<Reply>;
  /** Whether the server of an NFS mount is there. */
  readonly answers: (mount: Mount) => Promise<boolean>;
  /** How many mounts on top of each other are taken away. */
  readonly stackedMax: number;
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
}

/** Whether a mount is the volume's and may go. */
export type IsOurs = (mount: Mount, table: MountTable) => boolean;

/**
 * Takes away every mount of the volume at `path`, and nothing else. The mount table decides what is
 * there, before and after each step: umount's exit code says too little (32 may mean anything).
 * @param path resolved
 * @param before the table as it is before the first step
 * @throws BerthError `failed-precondition` for a mount of something else
 */
export async function unmountAll(
  unmounter: Unmounter,
  volumeId: string,
  path: string,
  isOurs: IsOurs,
  before: MountTable,
): Promise<void> {
  let table = before;
  for (let taken = 0; taken <= unmounter.stackedMax; taken++) {
    const mount = table.at(path);
    if (mount === undefined) return;
    if (!isOurs(mount, table)) throw notOurs(mount, volumeId);
    refuseMountsBelow(mount, table, volumeId);
    table = await unmountOne(unmounter, mount, volumeId, table);
  }
  throw new BerthError(
    "unavailable",
    `${path} still has mounts of volume ${volumeId} after ${unmounter.stackedMax} were taken away: retry`,
  );
}

/**
 * Plain first, and lazily in the end where somebody still uses it. In between by force, which ends what waits for
 * a server: only where that does not answer, and where this is the last mount of its superblock, since force
 * breaks what runs on every other (measured: the fsync of a volume that shared it failed). So never a bind mount
 * whose volume is staged.
 * @returns the table without the mount
 */
async function unmountOne(
  unmounter: Unmounter,
  mount: Mount,
  volumeId: string,
  before: MountTable,
): Promise<MountTable> {
  const climb = async (verb: UnmountVerb, again: boolean) => {
    const failure = await failureOf(unmounter, verb, mount, volumeId, again);
    const table = await unmounter.readTable();
    return { failure, table: isIn(table, mount) ? undefined : table };
  };
  const plain = await climb("unmount", false);
  if (plain.table !== undefined) return plain.table;
  if (isNfsVolume(mount) && isLastOfItsKind(mount, before) && !(await unmounter.answers(mount))) {
    const forced = await climb("force", true);
    if (forced.table !== undefined) return forced.table;
  }
  const lazy = await climb("detach", true);
  if (lazy.table !== undefined) return lazy.table;
  throw lazy.failure ?? plain.failure ?? stillThere(mount, volumeId);
}

/**
 * A lazy umount would take along whatever others have mounted within the volume. What the kernel's NFS client has
 * mounted there by itself, for the server's file systems below, goes with its parent.
 * @throws BerthError `failed-precondition`
 */
function refuseMountsBelow(mount: Mount, table: MountTable, volumeId: string): void {
  const source = mount.source.replace(/\/$/, ""); // `nas:/` is the root of all that it exports
  for (const child of table.mounts) {
    if (child.parentId !== mount.id || child === mount) continue;
    const isKernels = child.fsType.startsWith("nfs") && isWithin(child.source, source);
    if (isKernels) refuseMountsBelow(child, table, volumeId);
    else throw somethingBelow(child, mount, volumeId);
  }
}

/** Undefined when the step says that it worked. @throws BerthError when it makes no sense to go on */
async function failureOf(
  { step, signal }: Unmounter,
  verb: UnmountVerb,
  mount: Mount,
  volumeId: string,
  again: boolean,
): Promise<BerthError | undefined> {
  try {
    const reply = await step(verb, mount.mountPoint, again);
    return reply.exitCode === 0
      ? undefined
      : stepError(verb, reply, `volume ${volumeId} at ${mount.mountPoint}`);
  } catch (reason) {
    const error = BerthError.from(reason);
    // It was killed at its deadline, and not because the caller has gone: the next rung may do better.
    if (error.code === "deadline-exceeded" && signal?.aborted !== true) return error;
    throw error;
  }
}

function isLastOfItsKind(mount: Mount, table: MountTable): boolean {
  return table.mounts.every(({ id, device }) => id === mount.id || device !== mount.device);
}

/** The kernel gives the id of a mount that is gone to the next one, wherever that is (proc_pid_mountinfo(5)). */
function isIn(table: MountTable, { id, mountPoint }: Mount): boolean {
  return table.mounts.some((other) => other.id === id && other.mountPoint === mountPoint);
}

function stillThere(mount: Mount, volumeId: string): BerthError {
  return new BerthError(
    "unavailable",
    `volume ${volumeId} at ${mount.mountPoint} is still mounted after umount said it is not: retry`,
  );
}

function somethingBelow(child: Mount, mount: Mount, volumeId: string): BerthError {
  return new BerthError(
    "failed-precondition",
    `volume ${volumeId} at ${mount.mountPoint} has a mount of something else in it (${child.source} at ` +
      `${child.mountPoint}): unmount that first`,
  );
}

function notOurs(mount: Mount, volumeId: string): BerthError {
  return new BerthError(
    "failed-precondition",
    `${mount.mountPoint} is a mount of something else (${mount.source} ${mount.root}), not of volume ${volumeId}: ` +
      "unmount it by hand, or add the volume's share to this node's configuration",
  );
}
