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
 * have finished this deletion and created the name anew. So what was moved is looked at afterwards, and a
 * stranger is moved back.
 */
export async function retire(share: Share, name: VolumeName, record: VolumeRecord): Promise<void> {
  const nonce = nonceOf(record.identity);
  const entry = trashEntryPath(nonce);
  const fileid = BigInt(record.identity.directory.fileid);
  const isOurTree = async (path: SharePath): Promise<boolean> => {
    const found = await ifThere(share.stat(path));
    return found?.fileid === fileid;
  };
  await makeEntry(share, entry);
  // A creation that still runs may rename it from the one to the other between two looks, but never back.
  for (const from of [directoryPath(name), stagedTreePath(name, nonce), directoryPath(name)]) {
    if (!(await isOurTree(from))) continue;
    await move(share, entry, from, treeName, isOurTree);
    break;
  }
  await retireRecord(share, name, nonce);
}

/** Moves a volume's record into the trash: from then on the name is free. */
export async function retireRecord(share: Share, name: VolumeName, nonce: Nonce): Promise<void> {
  await move(share, trashEntryPath(nonce), recordPath(name), recordName, async (path) => {
    const content = await readIfThere(share, join(path, identityFile));
    return content !== undefined && decodeIdentity(content, path).nonce === nonce;
  });
}

/** Moves what is at `from` into the entry as `as`, unless it has gone; a stranger is moved back. */
async function move(
  share: Share,
  entry: SharePath,
  from: SharePath,
  as: string,
  isOurs: (path: SharePath) => Promise<boolean>,
): Promise<void> {
  const to = join(entry, as);
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    if (await renamed(share, from, to)) {
      if (await isOurs(to)) return;
      await share.rename(to, from);
    }
    if (!(await isOurs(from))) return; // gone: somebody else moved it, or our own answer was lost
    await makeEntry(share, entry);
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
    throw reason;
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
