import { BerthError, hasCode } from "../core/errors.ts";
import { sideBySide } from "../core/side-by-side.ts";
import type { VolumeName } from "../core/volume-id.ts";
import type { Attributes, FileStat, Share } from "../share/share.ts";
import { join, type SharePath } from "../share/share-path.ts";
import { admit } from "./admission.ts";
import {
  absent,
  fileidAt,
  findRecord,
  identityAt,
  isEmpty,
  isInPlace,
  isThere,
  readRecord,
  removeIfEmpty,
} from "./catalog.ts";
import { forget } from "./claim.ts";
import type { ShareContext } from "./context.ts";
import { identityFile, recordPath, stagedTreePath, trashEntryPath, treeName } from "./layout.ts";
import { giveAttributes } from "./owner-change.ts";
import { makeParents } from "./parents.ts";
import { claimAt, claimPath, type Held, releasePath } from "./path-claim.ts";
import { isOwnedBy, nonceOf, type VolumeRecord } from "./record.ts";
import { renameTree } from "./rename-tree.ts";
import { fateOf, retire, takeBack } from "./retire.ts";
import { settled } from "./settled.ts";

const attemptsMax = 8;

/** How far a creation came that has just made its record. */
export interface Claims {
  /** A name of the record that nobody needs when the path is claimed, if it is still there. */
  readonly temporary: SharePath | undefined;
  readonly isPathClaimed: boolean;
  /** No other volume can have been at the path since nothing was found there: nobody else was seen to have claimed it. */
  readonly isFree: boolean;
  /** As `admit` wants it. */
  readonly hasLedger: boolean | undefined;
}

/**
 * Brings a volume that has its record to its path, if the share may promise as much: the last steps of a
 * creation. Each may have been done before; and somebody else may have put something there.
 * @param claims of who has just looked at the path
 */
export async function moveIntoPlace(
  context: ShareContext,
  name: VolumeName,
  record: VolumeRecord,
  adopt: Attributes | undefined,
  claims?: Claims,
): Promise<void> {
  const { share } = context;
  let temporary = claims?.temporary;
  let isFree = claims?.isFree === true;
  const forgetIt = async (): Promise<void> => {
    if (temporary !== undefined) await forget(share, temporary);
  };
  const giveUp = () => takeBack(context, name, record);
  await admit(context, name, record, claims?.hasLedger).catch(async (reason: unknown) => {
    await forgetIt();
    throw reason;
  });
  if (claims?.isPathClaimed !== true) {
    try {
      const { isMoved, atOnce } = await claimOrRefuse(context, name, record, temporary);
      if (isMoved) temporary = undefined;
      isFree &&= atOnce;
    } catch (reason) {
      await forgetIt();
      const unclaimed = () => giveUpUnclaimed(context, name, record);
      if (hasCode(reason, "already-exists")) await unclaimed();
      throw await settled(reason, unclaimed);
    }
  }
  const placing =
    record.identity.adopted === true
      ? takeOver(context, name, record, adopt, giveUp)
      : placeTree(context, name, record, giveUp, isFree);
  await sideBySide([placing, forgetIt()]);
}

/** What is at a path, or undefined. */
export async function statIfThere(share: Share, path: SharePath): Promise<FileStat | undefined> {
  try {
    return await share.stat(path);
  } catch (reason) {
    if (hasCode(reason, ...absent)) return undefined;
    throw reason;
  }
}

/**
 * Where nothing is recorded, no earlier attempt can have left anything in a directory that is closed to Berth.
 * @throws BerthError `permission-denied`
 */
export async function refuseClosed(
  share: Share,
  name: VolumeName,
  path: SharePath,
  reason: unknown,
): Promise<void> {
  if (!hasCode(reason, "storage-access")) return;
  const isUnrecorded = await findRecord(share, name).then(
    (found) => found === undefined,
    () => false,
  );
  if (!isUnrecorded) return;
  await removeIfEmpty(share, recordPath(name));
  throw new BerthError(
    "permission-denied",
    `${share.name}: the directory ${path} is to lie in one that is closed to Berth: let Berth's user pass there ` +
      `(chmod o+x on the server), or choose another subDir: ${reason.message}`,
    { cause: reason },
  );
}

/** @throws BerthError `already-exists` for a directory that another volume has, lies in, or contains */
async function claimOrRefuse(
  context: ShareContext,
  name: VolumeName,
  record: VolumeRecord,
  temporary: SharePath | undefined,
): Promise<{ readonly isMoved: boolean; readonly atOnce: boolean }> {
  const { share } = context;
  const { path } = record.identity.directory;
  const source = join(recordPath(name), identityFile);
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const outcome = await claimPath(
      context,
      record,
      temporary ?? source,
      temporary === undefined ? "keep" : "move",
    );
    if (outcome.kind === "claimed") return { isMoved: outcome.isMoved, atOnce: attempt === 1 };
    await clear(context, path, outcome);
  }
  throw new BerthError("aborted", `${share.name}: ${path} keeps changing while ${name} is created: retry`);
}

/** Finishes the holder's deletion, which was cut off. @throws BerthError `already-exists` for a volume that is not deleted */
export async function clear(context: ShareContext, path: SharePath, { at, holder }: Held): Promise<void> {
  const { share, owner } = context;
  const { identity, deleted } = holder.record;
  if (deleted !== undefined && isOwnedBy(identity, owner)) {
    await retire(context, holder.name, holder.record, fateOf(holder.record));
    return;
  }
  const how = at === path ? "is that" : at.startsWith(`${path}/`) ? "contains that" : "lies in that";
  const claim =
    identity.claim === undefined ? "" : `, claim ${identity.claim.namespace}/${identity.claim.name}`;
  throw new BerthError(
    "already-exists",
    `${share.name}: the directory ${path} ${how} of volume ${identity.id} (${at}${claim}): ` +
      "choose another subDir, or delete that volume first",
  );
}

/** Another process that goes on with this creation may have got the path since: then the volume is its to finish. */
async function giveUpUnclaimed(context: ShareContext, name: VolumeName, record: VolumeRecord): Promise<void> {
  const { share } = context;
  const { path } = record.identity.directory;
  if ((await claimAt(share, path))?.nonce === record.identity.nonce) {
    throw new BerthError("aborted", `${share.name}: ${path} was free again when ${name} was given up: retry`);
  }
  await takeBack(context, name, record);
}

/** Step 4. @param isFree nothing was at the path a moment ago, and by now no other volume can be */
async function placeTree(
  context: ShareContext,
  name: VolumeName,
  record: VolumeRecord,
  giveUp: () => Promise<void>,
  isFree: boolean,
): Promise<void> {
  const { share } = context;
  const { path } = record.identity.directory;
  const staged = stagedTreePath(name, nonceOf(record.identity));
  try {
    if (!isFree) await refuseWhatIsThere(share, path); // the rename would replace an empty directory
    await renameWithParents(context, staged, path);
  } catch (reason) {
    if (await isInPlace(share, record)) return; // another call did it, or our answer was lost
    if (!(await isThere(share, staged))) throw await misplaced(context, name, record, reason);
    if (hasCode(reason, "already-exists", "storage-not-empty", "storage-exists")) await giveUp();
    throw await settled(reason, giveUp);
  }
}

async function renameWithParents(context: ShareContext, staged: SharePath, path: SharePath): Promise<void> {
  const { share } = context;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await renameTree(share, staged, path);
    } catch (reason) {
      // The last volume of a parent may be deleted at any time, and its parent with it.
      const isParentMissing =
        hasCode(reason, ...absent) && path.includes("/") && (await isThere(share, staged));
      if (!isParentMissing || attempt === attemptsMax) throw reason;
    }
    await makeParents(context, path);
  }
}

/** What existed before Berth is never taken over. */
async function refuseWhatIsThere(share: Share, path: SharePath): Promise<void> {
  if (!(await isThere(share, path))) return;
  throw new BerthError(
    "already-exists",
    `${share.name}: ${path} exists and is no volume of Berth: move it away, or ask for another name`,
  );
}

/** An adopted directory is claimed; is it still there? Then it gets what the class says of its mode and owner. */
async function takeOver(
  context: ShareContext,
  name: VolumeName,
  record: VolumeRecord,
  adopt: Attributes | undefined,
  giveUp: () => Promise<void>,
): Promise<void> {
  const { share } = context;
  const { path, fileid } = record.identity.directory;
  // Another process may have given it up before this one had the claim.
  if ((await identityAt(share, recordPath(name)))?.nonce !== record.identity.nonce)
    throw await deletedMeanwhile(context, name, record);
  const found = await statIfThere(share, path);
  if (found === undefined || `${found.fileid}` !== fileid) {
    throw new BerthError(
      "unavailable",
      `${share.name}: ${path} was to be adopted, and is gone or another directory now: put it back, or delete the volume`,
    );
  }
  try {
    await giveAttributes(share, path, found, adopt ?? {});
  } catch (reason) {
    throw await settled(reason, giveUp);
  }
}

/** Moved away or restored from a backup, perhaps: an empty volume in its place would hide what is lost. */
async function misplaced(
  context: ShareContext,
  name: VolumeName,
  record: VolumeRecord,
  cause: unknown,
): Promise<BerthError> {
  const { share } = context;
  const { path, ...directory } = record.identity.directory;
  const current = await readRecord(share, name);
  if (current?.identity.nonce !== record.identity.nonce) {
    return await deletedMeanwhile(context, name, record);
  }
  if (current.deleted === undefined && (await wasGivenUp(share, record))) {
    await takeBack(context, name, record);
    return new BerthError("aborted", `${share.name}: volume ${name} had been given up half way: retry`);
  }
  return new BerthError(
    "unavailable",
    `${share.name}: volume ${name} is recorded, but its own directory (fileid ${directory.fileid}) is not at ${path}: ` +
      "put it back, or delete the volume",
    { cause },
  );
}

/** Its directory was claimed after a deletion had let it go. */
async function deletedMeanwhile(
  context: ShareContext,
  name: VolumeName,
  record: VolumeRecord,
): Promise<BerthError> {
  await releasePath(context, record);
  return new BerthError(
    "aborted",
    `${context.share.name}: volume ${name} was deleted while it was created: retry`,
  );
}

/** Whether its tree is in the trash, where only giving it up can have put it, and nobody has ever used it. */
async function wasGivenUp(share: Share, { identity }: VolumeRecord): Promise<boolean> {
  const tree = join(trashEntryPath(nonceOf(identity)), treeName);
  return (await fileidAt(share, tree)) === identity.directory.fileid && (await isEmpty(share, tree));
}
