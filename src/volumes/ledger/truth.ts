/** What the records on a share say of its promises: where the ledger begins, and what it is held against. */
import { hasCode } from "../../core/errors.ts";
import type { Nonce } from "../../core/nonce.ts";
import { parseVolumeId, type VolumeName } from "../../core/volume-id.ts";
import type { Share } from "../../share/share.ts";
import { join } from "../../share/share-path.ts";
import { absent, isThere, listNames, listTrashEntries, readRecord, readRecordAt } from "../catalog.ts";
import type { ShareContext } from "../context.ts";
import { purgingEntryPath, recordName, type TrashEntry, trashEntryPath } from "../layout.ts";
import { claimAt } from "../path-claim.ts";
import { nonceOf, type VolumeRecord } from "../record.ts";
import type { Promised } from "./ledger-state.ts";

const readsInFlightMax = 32;

/** Of every volume on the share, whoever's it is, and of those in the trash. */
export async function promisesOfRecords(context: ShareContext): Promise<readonly Promised[]> {
  const { share, clock } = context;
  const nowMs = clock.nowMs();
  // A volume may be deleted meanwhile, or come back from the trash; by its nonce it counts once.
  const before = await listNames(share);
  const entries = await listTrashEntries(share);
  const after = await listNames(share);
  const ofVolumes = (name: VolumeName) => readable(() => readRecord(share, name));
  const ofTrash = ({ path }: TrashEntry) => readable(() => readRecordAt(share, join(path, recordName)));
  const records = [
    ...(await inParallel([...new Set([...before, ...after])], ofVolumes)),
    ...(await inParallel(entries, ofTrash)),
    ...(await inParallel(await listTrashEntries(share), ofTrash)),
  ];
  const promised = await inParallel(records, async (record): Promise<Promised | undefined> => {
    const name = record && nameIn(record);
    if (record === undefined || name === undefined) return undefined;
    const standing = (await wasAdmitted(share, record)) ? "promised" : "adopted";
    return { nonce: nonceOf(record.identity), name, bytes: record.sizeBytes, standing, sinceMs: nowMs };
  });
  const found = promised.filter((each) => each !== undefined);
  return [...new Map(found.map((each) => [each.nonce, each])).values()];
}

/** A creation claims its path after it was admitted: a volume that has done so is not refused any more. */
async function wasAdmitted(share: Share, { identity, deleted }: VolumeRecord): Promise<boolean> {
  if (deleted !== undefined) return true;
  try {
    return (await claimAt(share, identity.directory.path))?.nonce === identity.nonce;
  } catch (reason) {
    if (hasCode(reason, "failed-precondition", ...absent)) return false;
    throw reason;
  }
}

/** The promised volumes that have neither a record nor an entry in the trash. */
export async function gone(context: ShareContext, all: readonly Promised[]): Promise<readonly Nonce[]> {
  const names = new Set(await listNames(context.share));
  const trashed = new Set((await listTrashEntries(context.share)).map(({ nonce }) => nonce));
  const holders = Map.groupBy(all, ({ name }) => name);
  const doubtful = all.filter(
    ({ nonce, name }) => !trashed.has(nonce) && (!names.has(name) || (holders.get(name)?.length ?? 0) > 1),
  );
  const found = await inParallel(doubtful, (each) => isGone(context, each));
  return doubtful.filter((_, index) => found[index]).map(({ nonce }) => nonce);
}

/**
 * Growth of which the ledger knows and the record does not, or not yet, when it is old: what is to stand in the
 * ledger instead. A process that slept in between asks the ledger again after it has written the record.
 */
export async function settledGrowth(
  context: ShareContext,
  all: readonly Promised[],
  graceMs: number,
): Promise<readonly Promised[]> {
  const nowMs = context.clock.nowMs();
  const old = all.filter(({ standing, sinceMs }) => standing === "growing" && nowMs - sinceMs >= graceMs);
  const records = await inParallel(old, ({ name }) => readable(() => readRecord(context.share, name)));
  return old.flatMap((promised, index): Promised[] => {
    const record = records[index];
    if (record === undefined || nonceOf(record.identity) !== promised.nonce) return [];
    return [{ ...promised, bytes: record.sizeBytes, standing: "promised", sinceMs: nowMs }];
  });
}

/** Twice, around the trash: a record may be on its way from the one to the other. */
async function isGone({ share }: ShareContext, { nonce, name }: Promised): Promise<boolean> {
  const isRecorded = async (): Promise<boolean> => {
    try {
      const record = await readRecord(share, name);
      return record !== undefined && nonceOf(record.identity) === nonce;
    } catch (reason) {
      if (hasCode(reason, "failed-precondition")) return true; // unreadable, but there
      throw reason;
    }
  };
  if (await isRecorded()) return false;
  if (await isThere(share, trashEntryPath(nonce))) return false;
  if (await isThere(share, purgingEntryPath(nonce))) return false; // where it is moved to, never back
  return !(await isRecorded());
}

/** A record that cannot be read promises nothing that anyone could tell. */
async function readable(read: () => Promise<VolumeRecord | undefined>): Promise<VolumeRecord | undefined> {
  try {
    return await read();
  } catch (reason) {
    if (hasCode(reason, "failed-precondition", "storage-no-entry")) return undefined;
    throw reason;
  }
}

function nameIn({ identity }: VolumeRecord): VolumeName | undefined {
  return parseVolumeId(identity.id)?.name;
}

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += readsInFlightMax) {
    results.push(...(await Promise.all(items.slice(start, start + readsInFlightMax).map(work))));
  }
  return results;
}
