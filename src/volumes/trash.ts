import type { Call } from "../core/call.ts";
import { BerthError, hasCode } from "../core/errors.ts";
import { inParallel } from "../core/in-parallel.ts";
import type { Nonce } from "../core/nonce.ts";
import type { VolumeId, VolumeName } from "../core/volume-id.ts";
import type { Share } from "../share/share.ts";
import { join, type SharePath } from "../share/share-path.ts";
import {
  fileidAt,
  idOf,
  isInPlace,
  isThere,
  listTrashEntries,
  readRecord,
  readRecordAt,
  volumeOf,
} from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import {
  deletedFile,
  identityFile,
  recordName,
  recordPath,
  type TrashEntry,
  trashEntryPath,
  trashedRecordPath,
  treeName,
} from "./layout.ts";
import { makeParents } from "./parents.ts";
import { claimPath } from "./path-claim.ts";
import { type Deleted, nonceOf, type VolumeRecord } from "./record.ts";
import { renameTree } from "./rename-tree.ts";
import type { Volume } from "./volume.ts";

/** The reaper may begin with a volume at the moment when it is due: nearer than this nothing is restored. */
const restoreMarginMs = 60_000;
const readsInFlightMax = 16;

/** A deleted volume whose tree is still there. */
export interface TrashedVolume {
  readonly volume: Volume;
  readonly deletedMs: number;
  /** From when on the reaper removes it, ms since the epoch. */
  readonly purgeAfterMs: number;
  /** Kept for its retention; due, and perhaps gone in part; or gone, but for its record. */
  readonly state: "kept" | "due" | "gone";
}

interface Found {
  readonly id: VolumeId;
  readonly nonce: Nonce;
  readonly record: VolumeRecord;
  /** Absent where it was restored, and a deletion that had slept took the tree once more. */
  readonly deleted: Deleted | undefined;
}

interface Trashed extends Found, TrashEntry {
  readonly deleted: Deleted;
}

/** This owner's deleted volumes, the one deleted last first. */
export async function listTrash(context: ShareContext, call: Call): Promise<TrashedVolume[]> {
  const found = await findAll(context, call);
  const trashed = await inParallel(found, readsInFlightMax, (each) => trashedOf(context, each));
  return trashed.sort((one, other) => other.deletedMs - one.deletedMs);
}

async function trashedOf(
  { share, clock }: ShareContext,
  { id, path, record, deleted }: Trashed,
): Promise<TrashedVolume> {
  const purgeAfterMs = Date.parse(deleted.purgeAfter);
  const isThereStill = await isThere(share, join(path, treeName));
  return {
    volume: volumeOf(id, record, false),
    deletedMs: Date.parse(deleted.deletedAt),
    purgeAfterMs,
    state: !isThereStill ? "gone" : purgeAfterMs > clock.nowMs() ? "kept" : "due",
  };
}

/**
 * Takes back the deletion of a volume, the last one of that name. Its steps, each of which can be cut and
 * run again:
 *
 * 1. rename the record back: until step 3 it still says "deleted", so a retried DeleteVolume undoes this;
 * 2. claim the path again, and rename the tree back;
 * 3. remove `deleted.<nonce>.json`: the volume is ready;
 * 4. claim the path once more, which a deletion that had slept may have let go before step 3.
 *
 * @throws BerthError `not-found`; `already-exists` when the name is taken; `failed-precondition` when due
 */
export async function restoreVolume(context: ShareContext, call: Call, name: VolumeName): Promise<Volume> {
  const { share, clock } = context;
  const found = (await findHalfRestored(context, name)) ?? (await findDeleted(context, call, name));
  const { deleted } = found;
  if (deleted !== undefined && Date.parse(deleted.purgeAfter) - clock.nowMs() < restoreMarginMs) {
    throw new BerthError(
      "failed-precondition",
      `${share.name}: the retention of volume ${name} ended at ${deleted.purgeAfter}, so its tree may be gone in part: restore it from a backup`,
    );
  }
  // Looked at before the record moves: halfway the volume would be in no list.
  const { path } = found.record.identity.directory;
  const isInPlaceNow = await isInPlace(share, found.record);
  if (!isInPlaceNow && (await isThere(share, path))) throw taken(share, path);
  call.effects.begin();
  const entry = trashEntryPath(found.nonce);
  await moveBack(share, trashedRecordPath(found.nonce), recordPath(name));
  await reclaim(context, found, name);
  if (!isInPlaceNow) {
    await makeParents(context, path);
    await moveBack(share, join(entry, treeName), path);
  }
  if (!(await isInPlace(share, found.record))) {
    throw new BerthError(
      "failed-precondition",
      `${share.name}: the tree of volume ${name} is not in the trash any more: restore it from a backup`,
    );
  }
  if (deleted !== undefined) await share.removeFile(join(recordPath(name), deletedFile(found.nonce)));
  const { kind } = await claimPath(context, found.record, join(recordPath(name), identityFile), "keep");
  if (kind === "taken") throw taken(share, path);
  return volumeOf(found.id, { ...found.record, deleted: undefined }, true);
}

/** @throws BerthError `already-exists` when another volume has, lies in or contains the directory now */
async function reclaim(context: ShareContext, { nonce, record }: Found, name: VolumeName): Promise<void> {
  const { share } = context;
  const outcome = await claimPath(context, record, join(recordPath(name), identityFile), "keep");
  if (outcome.kind === "claimed") return;
  await share.rename(recordPath(name), trashedRecordPath(nonce));
  throw taken(share, outcome.at);
}

/** A restore that was cut off after its first step, or half undone. */
async function findHalfRestored(
  { share, owner }: ShareContext,
  name: VolumeName,
): Promise<Found | undefined> {
  const record = await readRecord(share, name);
  if (record === undefined) return undefined;
  const id = idOf(record, name, owner);
  const nonce = nonceOf(record.identity);
  const isInTrash = async (): Promise<boolean> => {
    const tree = join(trashEntryPath(nonce), treeName);
    return (await fileidAt(share, tree)) === record.identity.directory.fileid;
  };
  if (id === undefined || (record.deleted === undefined && !(await isInTrash()))) {
    throw taken(share, recordPath(name));
  }
  return { id, nonce, record, deleted: record.deleted };
}

async function findDeleted(context: ShareContext, call: Call, name: VolumeName): Promise<Trashed> {
  const all = (await findAll(context, call)).filter(({ id }) => id.name === name);
  const [last] = all.sort((one, other) => other.deleted.deletedAt.localeCompare(one.deleted.deletedAt));
  if (last !== undefined) return last;
  throw new BerthError(
    "not-found",
    `${context.share.name} has no deleted volume ${name} in its trash: \`berth trash list\` shows what it has`,
  );
}

/** Entries that cannot be read are logged and left out: the reaper warns of them too. */
async function findAll(context: ShareContext, call: Call): Promise<Trashed[]> {
  const { share, owner } = context;
  const read = async ({ nonce, path }: TrashEntry): Promise<Trashed | undefined> => {
    call.signal.throwIfAborted();
    try {
      const record = await readRecordAt(share, join(path, recordName));
      const id = record === undefined ? undefined : idOf(record, undefined, owner);
      if (record?.deleted === undefined || id === undefined) return undefined;
      return { id, nonce, path, record, deleted: record.deleted };
    } catch (reason) {
      if (!hasCode(reason, "failed-precondition")) throw reason;
      call.log.warn(reason.message, { share: share.name });
      return undefined;
    }
  };
  const found = await inParallel(await listTrashEntries(share), readsInFlightMax, read);
  return found.filter((each) => each !== undefined);
}

/** What an earlier attempt moved already is fine; what somebody else has put there is not replaced. */
async function moveBack(share: Share, from: SharePath, to: SharePath): Promise<void> {
  if (!(await isThere(share, from))) return;
  if (await isThere(share, to)) throw taken(share, to);
  await renameTree(share, from, to);
}

function taken(share: Share, path: SharePath): BerthError {
  return new BerthError(
    "already-exists",
    `${share.name}: ${path} exists: move it away to restore the deleted volume`,
  );
}
