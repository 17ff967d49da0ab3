import { BerthError, hasCode } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { parseVolumeId } from "../core/volume-id.ts";
import { join, type SharePath } from "../share/share-path.ts";
import { absent, fileidAt, isEmpty, isInPlace, isThere, readFateAt, removeIfEmpty } from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import { purgedName, purgingEntryPath, recordName, recordPath, type TrashEntry, treeName } from "./layout.ts";
import { removeParents } from "./parents.ts";
import { claimAt, releasePath } from "./path-claim.ts";
import { isOwnedBy, type VolumeFate } from "./record.ts";
import { renameTree } from "./rename-tree.ts";

/** What became of one entry of the trash. */
export type Purged =
  | { readonly kind: "purged"; readonly entries: number }
  /** For its retention, or for what a warning in the log names. */
  | { readonly kind: "waiting"; readonly dueMs: number | undefined }
  /** No volume was in it: it was restored, or its removal was cut at the end. */
  | { readonly kind: "empty" }
  | { readonly kind: "foreign" };

export interface PurgeOptions {
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly entriesPerSecondMax?: number;
}

/** How often a long removal says how far it has come. */
const progressMs = 60_000;

/**
 * Removes one deleted volume for good, if it is due. Before anything of it goes, the whole entry gets another name:
 * a deletion that was frozen before its rename could else put another volume's tree where this one's has just
 * been. The tree goes before the record: while there is a tree, its record says whose it is and when it is due.
 */
export async function purge(
  context: ShareContext,
  trashEntry: TrashEntry,
  options: PurgeOptions,
): Promise<Purged> {
  const { share, owner, clock } = context;
  const { nonce, path: entry } = trashEntry;
  const [tree, recordAt] = [join(entry, treeName), join(entry, recordName)];
  const [fileid, record] = [await fileidAt(share, tree), await readFateAt(share, recordAt)];
  if (record === undefined) {
    if (fileid !== undefined) return { kind: "waiting", dueMs: undefined }; // its deletion goes on
    await removeEntry(context, entry, options.signal);
    return { kind: "empty" };
  }
  if (!isOwnedBy(record.identity, owner)) return { kind: "foreign" };
  const isItsOwn = fileid === undefined || fileid === record.identity.directory.fileid;
  if (record.identity.nonce !== nonce || !isItsOwn) {
    await moveBack(context, tree, record, fileid, options.log);
    return { kind: "waiting", dueMs: undefined };
  }
  if (record.deleted === undefined && (await bringBack(context, trashEntry, record, options.log)))
    return { kind: "waiting", dueMs: undefined };
  const dueMs = record.deleted === undefined ? 0 : Date.parse(record.deleted.purgeAfter);
  if (dueMs > clock.nowMs()) return { kind: "waiting", dueMs };
  const aside: TrashEntry = { nonce, path: purgingEntryPath(nonce) };
  if (entry !== aside.path) {
    if (!(await moveAside(context, entry, aside.path))) return { kind: "waiting", dueMs };
    return await purge(context, aside, options); // looked at again: what came last, came before the rename
  }
  const entries = await removeTree(context, tree, record, options);
  await releasePath(context, record); // where its deletion was cut off
  await removeParents(context, record.identity.directory.path);
  await share.rename(recordAt, join(entry, purgedName));
  await removeEntry(context, entry, options.signal);
  return { kind: "purged", entries };
}

/** @returns false when it is gone, or has been moved: another process purges it */
async function moveAside({ share }: ShareContext, entry: SharePath, aside: SharePath): Promise<boolean> {
  try {
    await share.rename(entry, aside);
    return true;
  } catch (reason) {
    if (hasCode(reason, ...absent, "storage-exists", "storage-not-empty")) return false;
    throw reason;
  }
}

async function removeTree(
  { share, clock }: ShareContext,
  tree: SharePath,
  { identity }: VolumeFate,
  { signal, log, entriesPerSecondMax }: PurgeOptions,
): Promise<number> {
  const beganMs = clock.nowMs();
  let toldMs = beganMs;
  const { entries } = await share.removeTree(tree, {
    signal,
    ...(entriesPerSecondMax === undefined ? {} : { entriesPerSecondMax }),
    onProgress: (progress) => {
      const nowMs = clock.nowMs();
      if (nowMs - toldMs < progressMs) return;
      toldMs = nowMs;
      const seconds = Math.round((nowMs - beganMs) / 1000);
      log.info(
        `removing deleted volume ${identity.id} from ${share.name}: ${progress.entries} entries in ${seconds} s so far`,
        { share: share.name, volumeId: identity.id, entries: progress.entries },
      );
    },
  });
  return entries;
}

/**
 * A deletion that was frozen before its rename, and killed right after it, took the tree of the volume that
 * has had the path since: that one's claim still names it.
 */
async function moveBack(
  { share }: ShareContext,
  tree: SharePath,
  record: VolumeFate,
  fileid: string | undefined,
  log: Log,
): Promise<void> {
  const { path } = record.identity.directory;
  const current = await claimAt(share, path);
  const isTheirs = fileid !== undefined && fileid === current?.directory.fileid;
  if (!isTheirs || (await fileidAt(share, path)) !== undefined) {
    throw new BerthError(
      "failed-precondition",
      `${share.name}: ${tree} is not the tree that the record beside it speaks of: look whose it is, and move it by hand`,
    );
  }
  await renameTree(share, tree, path);
  log.warn(`a deletion that was cut off had taken the tree of volume ${current.id}: it is back`, {
    share: share.name,
  });
}

/**
 * A record in the trash that tells of no deletion is one of two things: a creation that came to nothing, whose
 * tree is empty, since nobody ever saw it; or a volume that was restored while a deletion slept, which then woke
 * and was killed right after it had taken the record.
 * @returns whether it is back
 */
async function bringBack(
  { share }: ShareContext,
  { nonce, path: entry }: TrashEntry,
  record: VolumeFate,
  log: Log,
): Promise<boolean> {
  const name = parseVolumeId(record.identity.id)?.name;
  const { path, fileid } = record.identity.directory;
  const claim = await claimAt(share, path);
  // File systems give a fileid to the next directory: what is claimed by another, under this fileid, is that one's.
  const isAnothers = claim !== undefined && claim.nonce !== nonce && claim.directory.fileid === fileid;
  const isLive = !isAnothers && (await isInPlace(share, record));
  if (!isLive && (await isEmpty(share, join(entry, treeName)))) return false;
  if (isLive && record.identity.adopted === true && claim?.nonce !== nonce) return false; // it was given up
  if (!isLive || name === undefined || (await isThere(share, recordPath(name)))) {
    throw new BerthError(
      "failed-precondition",
      `${share.name}: ${entry} holds the record of volume ${record.identity.id}, which tells of no deletion, and its ` +
        "data are there: look whose they are, and move them by hand",
    );
  }
  await share.rename(join(entry, recordName), recordPath(name));
  log.warn(`a deletion that was cut off had taken the record of volume ${record.identity.id}: it is back`, {
    share: share.name,
  });
  return true;
}

/** What is left of an entry without a tree. A deletion may be about to move one in: then it stays. */
async function removeEntry({ share }: ShareContext, entry: SharePath, signal: AbortSignal): Promise<void> {
  await share.removeTree(join(entry, purgedName), { signal });
  await removeIfEmpty(share, entry);
}
