import { BerthError, hasCode } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { FileStat, Share } from "../share/share.ts";
import type { SharePath } from "../share/share-path.ts";
import { absent, fileidAt, ignoreAbsent, removeIfEmpty, typeAt } from "./catalog.ts";
import { claimFile } from "./claim.ts";
import type { ShareContext } from "./context.ts";
import { claimPathOf, parentMarkerPath, parentsOf, stagedParentPath } from "./layout.ts";
import { decodeParent, encodeRecord, newParent, nonceOf, type Parent } from "./record.ts";

/** Nobody but Berth works in them: a pod sees its volume's directory only. */
const parentMode = 0o755;
const attemptsMax = 8;

/**
 * Makes the directories that a volume's lies in, as far as they are missing. As a volume's own, each is
 * built in staging, then recorded with its fileid (beside the claims below it), then renamed to its place:
 * so what Berth made is known, wherever it is cut off, and only that is ever removed.
 * @throws BerthError `storage-not-a-directory`
 */
export async function makeParents(context: ShareContext, directory: SharePath): Promise<void> {
  for (const parent of parentsOf(directory)) await makeParent(context, parent);
}

/**
 * Removes the parents of a directory that is gone, the innermost first: those that Berth made, that are
 * empty, and that no other volume lies in.
 */
export async function removeParents({ share }: ShareContext, directory: SharePath): Promise<void> {
  for (const parent of parentsOf(directory).reverse()) {
    if (!(await removeParent(share, parent))) return;
  }
}

/** @returns false when it stays: in use, or nobody knows whose it is */
export async function removeParent(share: Share, parent: SharePath): Promise<boolean> {
  const marker = await markerOf(share, parent).catch(unreadable);
  if (marker === "unreadable") return false;
  if (marker !== undefined) {
    if (await hasClaims(share, parent)) return false;
    const isOurs = (await fileidAt(share, parent)) === marker.fileid;
    if (isOurs && !(await removed(share, parent))) return false;
    await share.removeFile(parentMarkerPath(parent)).catch(ignoreAbsent);
  }
  await removeIfEmpty(share, claimPathOf(parent));
  return true;
}

async function makeParent(context: ShareContext, parent: SharePath): Promise<void> {
  const { share } = context;
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const type = await typeAt(share, parent);
    if (type === "directory") return;
    if (type !== undefined) throw notADirectory(share, parent, type);
    const marker = (await markerOf(share, parent)) ?? (await build(context, parent));
    if (marker === undefined || (await placed(share, parent, marker))) continue;
    // It was in its place once, and its last volume's deletion is removing both, or was cut off.
    await share.removeFile(parentMarkerPath(parent)).catch(ignoreAbsent);
  }
  throw new BerthError(
    "storage-no-entry",
    `${share.name}: ${parent} keeps changing: another process works on it`,
  );
}

/** @returns undefined when somebody else was faster */
async function build(
  { share, owner, newNonce }: ShareContext,
  parent: SharePath,
): Promise<Parent | undefined> {
  const nonce = newNonce();
  const staged = stagedParentPath(nonce);
  const { fileid } = await share.makeDirectory(staged, parentMode);
  const marker = newParent({ ...owner, nonce, fileid: `${fileid}` });
  const outcome = await claimFile(share, parentMarkerPath(parent), encodeRecord(marker), nonce);
  if (outcome === "claimed") return marker;
  await removeIfEmpty(share, staged);
  return undefined;
}

async function placed(share: Share, parent: SharePath, marker: Parent): Promise<boolean> {
  try {
    await share.rename(stagedParentPath(nonceOf(marker)), parent);
    return true;
  } catch (reason) {
    const fileid = await fileidAt(share, parent);
    if (fileid !== undefined) return true; // somebody else did it, or our own answer was lost
    if (hasCode(reason, "storage-no-entry")) return false;
    throw reason;
  }
}

async function hasClaims(share: Share, parent: SharePath): Promise<boolean> {
  const marker = parentMarkerPath(parent);
  try {
    for await (const { name } of share.list(claimPathOf(parent))) {
      if (!marker.endsWith(`/${name}`)) return true;
    }
  } catch (reason) {
    if (!hasCode(reason, ...absent)) throw reason;
  }
  return false;
}

/** @returns false when there is something in it */
async function removed(share: Share, parent: SharePath): Promise<boolean> {
  try {
    await share.removeDirectory(parent);
  } catch (reason) {
    if (hasCode(reason, "storage-not-empty")) return false;
    ignoreAbsent(reason);
  }
  return true;
}

async function markerOf(share: Share, parent: SharePath): Promise<Parent | undefined> {
  const path = parentMarkerPath(parent);
  try {
    return decodeParent(await share.readFile(path, limits.recordBytesMax), path);
  } catch (reason) {
    ignoreAbsent(reason); // or the parent is a volume by now
    return undefined;
  }
}

function unreadable(reason: unknown): "unreadable" {
  if (hasCode(reason, "failed-precondition")) return "unreadable";
  throw reason;
}

function notADirectory(share: Share, parent: SharePath, type: FileStat["type"]): BerthError {
  return new BerthError(
    "storage-not-a-directory",
    `${share.name}: ${parent} is a ${type}, and a volume's directory is to lie in it: move it away, or choose another subDir`,
  );
}
