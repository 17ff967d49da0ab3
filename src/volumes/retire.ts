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
  const isOurTree = async (path: SharePath): Promise<boolean> => (await share.stat(path)).fileid === fileid;
  await move(share, entry, stagedTreePath(name, nonce), join(entry, treeName), isOurTree);
  await move(share, entry, directoryPath(name), join(entry, treeName), isOurTree);
  await retireRecord(share, name, nonce);
}

/** Moves a volume's record into the trash: from then on the name is free. */
export async function retireRecord(share: Share, name: VolumeName, nonce: Nonce): Promise<void> {
  const entry = trashEntryPath(nonce);
  await move(share, entry, recordPath(name), join(entry, recordName), async (path) => {
    const content = await readIfThere(share, join(path, identityFile));
    return content !== undefined && decodeIdentity(content, path).nonce === nonce;
  });
}

/** Moves what is at `from` to `to` inside the entry, if it is there and ours. */
async function move(
  share: Share,
  entry: SharePath,
  from: SharePath,
  to: SharePath,
  isOurs: (path: SharePath) => Promise<boolean>,
): Promise<void> {
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    if (!(await ifThere(isOurs(from)))) return;
    await makeEntry(share, entry);
    try {
      await share.rename(from, to);
    } catch (reason) {
      // Gone: somebody else moved it, or the reaper took the entry while it was empty. Look again.
      if (hasCode(reason, "storage-no-entry", "storage-not-empty", "storage-exists")) continue;
      throw reason;
    }
    if (await ifThere(isOurs(to))) return;
    await share.rename(to, from);
  }
  throw new BerthError(
    "aborted",
    `${share.name}: ${from} keeps changing while it is deleted: another process works on it; retry`,
  );
}

async function makeEntry(share: Share, entry: SharePath): Promise<void> {
  try {
    await share.makeDirectory(entry, 0o700);
  } catch (reason) {
    if (!hasCode(reason, "storage-exists")) throw reason;
  }
}

async function ifThere(answer: Promise<boolean>): Promise<boolean> {
  try {
    return await answer;
  } catch (reason) {
    if (hasCode(reason, "storage-no-entry")) return false;
    throw reason;
  }
}
