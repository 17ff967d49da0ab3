import { BerthError, hasCode } from "../core/errors.ts";
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
import { decodeIdentity, type Identity, nonceOf, type VolumeRecord } from "./record.ts";

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
  const tree: Thing = {
    isOurs: async (path) =>
      (await fileidAt(share, path)) === record.identity.directory.fileid &&
      (await identityAt(share, recordPath(name)))?.nonce === nonce,
    // Its record may have gone in the meantime, or a successor's come: that one names the stranger, or does not.
    isStranger: async (path) => {
      const current = await identityAt(share, recordPath(name));
      if (current === undefined || current.nonce === nonce) return false;
      return current.directory.fileid === (await fileidAt(share, path));
    },
  };
  const ownRecord: Thing = {
    isOurs: async (path) => (await identityAt(share, path))?.nonce === nonce,
    isStranger: async (path) => {
      const moved = await identityAt(share, path);
      return moved !== undefined && moved.nonce !== nonce;
    },
  };
  // A creation that still runs may rename it from the one to the other between two looks, but never back.
  let isMade = false;
  for (const from of [directoryPath(name), stagedTreePath(name, nonce), directoryPath(name)]) {
    isMade = await move(share, from, join(entry, treeName), { path: entry, isMade }, tree);
    if (isMade) break;
  }
  await move(share, recordPath(name), join(entry, recordName), { path: entry, isMade }, ownRecord);
}

/** How a thing is told from another of the same name. */
interface Thing {
  /** Looked at before the rename: is it there, and ours to move? */
  isOurs(path: SharePath): Promise<boolean>;
  /** Looked at after the rename, where it was moved to: was it another's? */
  isStranger(path: SharePath): Promise<boolean>;
}

/** A deleted volume's entry of the trash. */
interface Entry {
  readonly path: SharePath;
  /** Known to have been made, though the reaper may have taken it away again. */
  readonly isMade: boolean;
}

async function identityAt(share: Share, path: SharePath): Promise<Identity | undefined> {
  const content = await readIfThere(share, join(path, identityFile));
  return content === undefined ? undefined : decodeIdentity(content, join(path, identityFile));
}

/** As records write it. */
async function fileidAt(share: Share, path: SharePath): Promise<string | undefined> {
  try {
    return `${(await share.stat(path)).fileid}`;
  } catch (reason) {
    if (hasCode(reason, "storage-no-entry")) return undefined;
    throw reason;
  }
}

/** Moves what is at `from` into the entry, if it is ours. @returns whether it was there and is moved now */
async function move(
  share: Share,
  from: SharePath,
  to: SharePath,
  entry: Entry,
  thing: Thing,
): Promise<boolean> {
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    if (!(await thing.isOurs(from))) return false; // gone: somebody else moved it, or our own answer was lost
    if (attempt > 1 || !entry.isMade) await makeEntry(share, entry.path);
    if (!(await renamed(share, from, to))) continue;
    if (!(await thing.isStranger(to))) return true;
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
