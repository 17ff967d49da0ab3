import { BerthError, hasCode } from "../core/errors.ts";
import type { Nonce } from "../core/nonce.ts";
import type { VolumeName } from "../core/volume-id.ts";
import type { Share } from "../share/share.ts";
import { join, type SharePath } from "../share/share-path.ts";
import { readIfThere } from "./claim.ts";
import {
  directoryPath,
  identityFile,
  recordName,
  recordPath,
  stagedTreePath,
  trashEntryPath,
  treeName,
} from "./layout.ts";
import { decodeIdentity, nonceOf, type VolumeRecord } from "./record.ts";

const attemptsMax = 5;

/**
 * Moves a volume, first its tree and then its record, into its entry of the trash. Every step may have
 * been done before, by a call that was cut off or by another process.
 *
 * A rename cannot ask "only if it is still the one": between a look and the rename another process may
 * have finished this deletion and created the name anew. So what was moved is looked at again, and a
 * stranger is moved back. A fileid alone does not tell: file systems give it to the next file. But a claim
 * comes before its tree is placed, and a tree leaves before its record: so a tree at the volume's path is
 * this volume's only while the name's record has this volume's nonce.
 */
export async function retire(share: Share, name: VolumeName, record: VolumeRecord): Promise<void> {
  const nonce = nonceOf(record.identity);
  const entry = trashEntryPath(nonce);
  const fileid = BigInt(record.identity.directory.fileid);
  const isOurTree = async (path: SharePath): Promise<boolean> => {
    const found = await ifThere(share.stat(path));
    return found?.fileid === fileid && (await nonceAt(share, recordPath(name))) === nonce;
  };
  const isOurRecord = async (path: SharePath): Promise<boolean> => (await nonceAt(share, path)) === nonce;
  // A creation that still runs may rename it from the one to the other between two looks, but never back.
  for (const from of [directoryPath(name), stagedTreePath(name, nonce), directoryPath(name)]) {
    if (await move(share, from, join(entry, treeName), entry, isOurTree)) break;
  }
  await move(share, recordPath(name), join(entry, recordName), entry, isOurRecord);
}

/** The nonce of the record in a directory, if there is one. */
async function nonceAt(share: Share, path: SharePath): Promise<Nonce | undefined> {
  const content = await readIfThere(share, join(path, identityFile));
  return content === undefined ? undefined : nonceOf(decodeIdentity(content, join(path, identityFile)));
}

/** Moves what is at `from` into the entry, if it is ours. @returns whether it was there and is moved now */
async function move(
  share: Share,
  from: SharePath,
  to: SharePath,
  entry: SharePath,
  isOurs: (path: SharePath) => Promise<boolean>,
): Promise<boolean> {
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    if (!(await isOurs(from))) return false; // gone: somebody else moved it, or our own answer was lost
    await makeEntry(share, entry);
    if (!(await renamed(share, from, to))) continue;
    if (await isOurs(to)) return true;
    await share.rename(to, from);
  }
  throw new BerthError(
    "aborted",
    `${share.name}: ${from} keeps changing while it is deleted: another process works on it; retry`,
  );
}

/** @returns false when there is nothing at `from`, no entry to move it to, or something there already */
async function renamed(share: Share, from: SharePath, to: SharePath): Promise<boolean> {
  try {
    await share.rename(from, to);
    return true;
  } catch (reason) {
    if (hasCode(reason, "storage-no-entry", "storage-not-empty", "storage-exists")) return false;
    if (!hasCode(reason, "storage-access")) throw reason;
    // To get another parent a directory must be writable, even to its owner: a pod may have changed that.
    await share.setAttributes(from, { mode: 0o700 });
    await share.rename(from, to);
    return true;
  }
}

async function makeEntry(share: Share, entry: SharePath): Promise<void> {
  try {
    await share.makeDirectory(entry, 0o700);
  } catch (reason) {
    if (!hasCode(reason, "storage-exists")) throw reason;
  }
}

async function ifThere<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (reason) {
    if (hasCode(reason, "storage-no-entry")) return undefined;
    throw reason;
  }
}
