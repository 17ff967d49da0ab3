import { BerthError, hasCode } from "../core/errors.ts";
import { sideBySide } from "../core/side-by-side.ts";
import type { VolumeName } from "../core/volume-id.ts";
import type { Share } from "../share/share.ts";
import { join, type SharePath } from "../share/share-path.ts";
import {
  ensureDirectory,
  fileidAt,
  identityAt,
  ignoreAbsent,
  isThere,
  removeIfEmpty,
  stillDecided,
  wasRestored,
} from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import {
  archivePathOf,
  claimPathOf,
  identityFile,
  keptPath,
  keptRecordPath,
  purgedName,
  recordPath,
  stagedTreePath,
  trashEntryPath,
  trashedRecordPath,
  treeName,
} from "./layout.ts";
import { recoverClaim } from "./lost-claims.ts";
import { removeParents } from "./parents.ts";
import { claimAt, letGo, releasePath } from "./path-claim.ts";
import { type Identity, nonceOf, type VolumeFate, type VolumeRecord } from "./record.ts";
import { renameTree } from "./rename-tree.ts";
import type { OnDelete } from "./volume.ts";

const attemptsMax = 5;

/**
 * Takes a volume away: first its tree, then the claim on its directory, then its record. Every step may have
 * been done before, by a call that was cut off or by another process.
 *
 * Without a decided deletion it takes a creation back, which another process may be finishing. One rename
 * decides between the two: of the tree out of staging, to its path or into the trash. A tree that has come to
 * its path may have been answered, and have data in it by now: that volume stands.
 *
 * A rename cannot ask "only if it is still the one": between a look and the rename another process may
 * have finished this deletion and created the name anew. So what was moved is looked at again, and a
 * stranger is moved back. A fileid alone does not tell: file systems give it to the next file. But a claim
 * comes before its tree is placed, and a tree leaves before its claim and its record: so a tree at the
 * volume's path is this volume's only while the claim on the path has this volume's nonce.
 *
 * The rename into the trash needs no look where the claim was seen after the volume's entry there was made. Whoever has
 * finished the deletion since has put tree and record into that entry, and whoever has purged them has taken the entry
 * with them: so a rename that comes late finds no room.
 *
 * @param fate of the tree at the volume's path: what the class wants of a deletion; for a creation that is
 * given up "delete", or "retain" where the directory was there before
 * @param isSeen the tree was at its path, and claimed since the entry in the trash is there
 */
export async function retire(
  context: ShareContext,
  name: VolumeName,
  record: VolumeFate,
  fate: OnDelete,
  isSeen = false,
): Promise<void> {
  const { share } = context;
  const nonce = nonceOf(record.identity);
  const { path } = record.identity.directory;
  const entry = trashEntryPath(nonce);
  const trashed = join(entry, treeName);
  const [staged, tree] = treesOf(share, name, record);
  const target = fate === "archive" ? archivePathOf(path, nonce) : trashed;
  const isDecided = record.deleted !== undefined;
  // A creation that still runs may rename it from the one to the other between two looks, but never back.
  for (const [index, from] of [path, staged.path, path].entries()) {
    if (from === path && (fate === "retain" || !isDecided)) continue;
    const [thing, to] = from === path ? [tree, target] : [staged, trashed];
    if (await move(share, from, to, entry, thing, isSeen && index === 0 && to === trashed)) break;
  }
  if (!isDecided && record.identity.adopted !== true && (await tree.isOurs(path))) {
    throw finished(share, name);
  }
  const isKept = isDecided && fate !== "delete" && !(await isThere(share, trashed));
  const [to, holder] = isKept ? [keptRecordPath(nonce), keptPath] : [trashedRecordPath(nonce), entry];
  const isRecord: Thing = {
    isOurs: async (at) => {
      const [found, isStill] = await Promise.all([identityAt(share, at), stillDecided(share, at, record)]);
      return found?.nonce === nonce && isStill;
    },
    isStranger: async (at) => {
      const [moved, isStill] = await Promise.all([identityAt(share, at), stillDecided(share, at, record)]);
      return moved !== undefined && (moved.nonce !== nonce || !isStill);
    },
  };
  // Side by side: a claim whose record is gone is taken away by whoever meets it, at last by the reaper.
  const moving = move(share, recordPath(name), to, holder, isRecord, !isKept && tree.isStillClaimed());
  const release = tree.isStillClaimed() ? letGo(context, record, to, moving) : releasePath(context, record);
  await sideBySide([release.then(() => removeParents(context, path)), moving]);
}

/**
 * Takes back a creation that came to nothing. Its tree never was in its place, so nothing is in it: it needs no trash,
 * which nobody may empty here. Should there be something, both stay for the reaper, which tells of them.
 */
export async function takeBack(context: ShareContext, name: VolumeName, record: VolumeRecord): Promise<void> {
  const { share } = context;
  await retire(context, name, record, fateOf(record));
  const nonce = nonceOf(record.identity);
  const entry = trashEntryPath(nonce);
  const [tree, trashed, purged] = [join(entry, treeName), trashedRecordPath(nonce), join(entry, purgedName)];
  // Who adopts claims first and looks at the record then; here it is the other way round, so one of the two sees it.
  if (record.identity.adopted === true && (await isClaimed(share, record))) {
    await share.rename(trashed, recordPath(name));
    throw finished(share, name);
  }
  await removeIfEmpty(share, tree);
  if (await isThere(share, tree)) return;
  await share.rename(trashed, purged).catch(ignoreAbsent); // as the reaper, who may have to go on
  await share.removeFile(join(purged, identityFile)).catch(ignoreAbsent);
  await removeIfEmpty(share, purged);
  await removeIfEmpty(share, entry);
}

async function isClaimed(share: Share, { identity }: VolumeFate): Promise<boolean> {
  return (await claimAt(share, identity.directory.path))?.nonce === identity.nonce;
}

function finished(share: Share, name: VolumeName): BerthError {
  return new BerthError(
    "aborted",
    `${share.name}: volume ${name} was finished by another process while this one gave it up: retry`,
  );
}

/** What a record says of its deletion's directory, for whoever finishes it. */
export function fateOf({ identity, deleted }: VolumeFate): OnDelete {
  if (deleted !== undefined) return identity.onDelete ?? "delete";
  return identity.adopted === true ? "retain" : "delete";
}

/** How a thing is told from another of the same name. */
interface Thing {
  /** Looked at before the rename: is it there, and ours to move? */
  isOurs(path: SharePath): Promise<boolean>;
  /** Looked at after the rename, where it was moved to: was it another's? */
  isStranger(path: SharePath): Promise<boolean>;
}

interface Placed extends Thing {
  /** Whether what was renamed last was the volume's, and the claim on its path still there. */
  isStillClaimed(): boolean;
}

/** The tree where it was built, and where it was placed. */
function treesOf(
  share: Share,
  name: VolumeName,
  { identity, deleted }: VolumeFate,
): [Thing & { readonly path: SharePath }, Placed] {
  const { path, fileid } = identity.directory;
  const isIt = async (at: SharePath): Promise<boolean> => (await fileidAt(share, at)) === fileid;
  const isLive = (): Promise<boolean> => wasRestored(share, name, { identity, deleted });
  const staged = {
    path: stagedTreePath(name, nonceOf(identity)),
    isOurs: isIt,
    isStranger: async () => false, // nobody else has the nonce in its name
  };
  let isStillClaimed = false;
  const placed: Placed = {
    isStillClaimed: () => isStillClaimed,
    isOurs: async (at) => {
      const [isThisOne, claim, live] = await Promise.all([isIt(at), claimAt(share, path), isLive()]);
      if (!isThisOne || live) return false;
      if (claim !== undefined) return claim.nonce === identity.nonce && claim.id === identity.id;
      if (identity.adopted === true) return false; // its creation was cut off before it had the claim
      if ((await identityAt(share, recordPath(name)))?.nonce !== identity.nonce) return false;
      if (await recoverClaim(share, identity)) return true;
      throw unclaimed(share, name, identity);
    },
    // The claim may have gone in the meantime, or a successor's come: that one names the stranger, or does not.
    isStranger: async (at) => {
      const [claim, live] = await Promise.all([claimAt(share, path), isLive()]);
      isStillClaimed = !live && claim?.nonce === identity.nonce;
      if (live || isStillClaimed) return live;
      const moved = await fileidAt(share, at);
      return moved !== undefined && (moved !== fileid || moved === claim?.directory.fileid);
    },
  };
  return [staged, placed];
}

/** A directory that is the recorded one, but that nobody has claimed: somebody may have changed the record. */
export function unclaimed(share: Share, name: VolumeName, { directory: { path } }: Identity): BerthError {
  return new BerthError(
    "failed-precondition",
    `${share.name}: ${path} has no claim in ${claimPathOf(path)}, so it is not deleted: if it is this volume's, ` +
      `make the claim again as a link to ${join(recordPath(name), identityFile)}; else move it away`,
  );
}

/**
 * Moves what is at `from` to a name in `holder`, if it is ours.
 * @param isSeen it was a moment ago. @returns whether it was there and is moved now
 */
async function move(
  share: Share,
  from: SharePath,
  to: SharePath,
  holder: SharePath,
  thing: Thing,
  isSeen: boolean,
): Promise<boolean> {
  let outcome: Renamed = "renamed";
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const isKnown = isSeen && attempt === 1;
    if (!isKnown && !(await thing.isOurs(from))) return false; // gone: somebody else moved it, or our own answer was lost
    outcome = await renamed(share, from, to);
    if (outcome !== "renamed") {
      await ensureDirectory(share, holder);
      continue;
    }
    if (!(await thing.isStranger(to))) return true;
    await renameTree(share, to, from);
  }
  if (outcome === "absent") {
    throw new BerthError(
      "unavailable",
      `${share.name}: the server finds ${from} when it is looked for, and not when it is renamed: somebody removed it on ` +
        "the server's own disk, and the server's cache does not know yet (for a minute or so); retry",
    );
  }
  throw new BerthError(
    "aborted",
    `${share.name}: ${from} keeps changing while it is deleted: another process works on it; retry`,
  );
}

/** Absent: there is nothing at `from`, or no entry to move it to. Taken: there is something there already. */
type Renamed = "renamed" | "absent" | "taken";

async function renamed(share: Share, from: SharePath, to: SharePath): Promise<Renamed> {
  try {
    await renameTree(share, from, to);
    return "renamed";
  } catch (reason) {
    if (hasCode(reason, "storage-no-entry")) return "absent";
    if (hasCode(reason, "storage-not-empty", "storage-exists")) return "taken";
    throw reason;
  }
}
