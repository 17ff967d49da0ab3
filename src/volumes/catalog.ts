import { BerthError, hasCode } from "../core/errors.ts";
import type { Nonce } from "../core/nonce.ts";
import { parseVolumeId, printVolumeId, type VolumeId, type VolumeName } from "../core/volume-id.ts";
import type { FileStat, Share, ShareEntry } from "../share/share.ts";
import { join, type SharePath } from "../share/share-path.ts";
import { readIfThere } from "./claim.ts";
import {
  deletedFile,
  generationOf,
  identityFile,
  layoutPaths,
  recordPath,
  sizeFile,
  type TrashEntry,
  trashEntryIn,
  trashedRecordPath,
  trashPath,
  volumeNameIn,
  volumesPath,
} from "./layout.ts";
import {
  type Deleted,
  decodeDeleted,
  decodeIdentity,
  decodeSize,
  type Identity,
  isOwnedBy,
  nonceOf,
  type Owner,
  type VolumeFate,
  type VolumeRecord,
} from "./record.ts";
import type { Volume } from "./volume.ts";

/** Makes what a share of Berth has besides its volumes. Mode 0700: it is nobody else's business. */
export async function ensureLayout(share: Share): Promise<void> {
  for (const path of layoutPaths) await ensureDirectory(share, path);
}

/** One of Berth's own directories, made now or before. */
export async function ensureDirectory(share: Share, path: SharePath): Promise<void> {
  try {
    await share.makeDirectory(path, 0o700);
  } catch (reason) {
    if (!hasCode(reason, "storage-exists")) throw reason;
  }
}

/** What a share says of a path where nothing is, or nothing can be: something on the way is no directory. */
export const absent = ["storage-no-entry", "storage-not-a-directory"] as const;

/** For `catch`: what was to be removed is gone. */
export function ignoreAbsent(reason: unknown): void {
  if (!hasCode(reason, ...absent)) throw reason;
}

export async function typeAt(share: Share, path: SharePath): Promise<FileStat["type"] | undefined> {
  try {
    return (await share.stat(path)).type;
  } catch (reason) {
    if (hasCode(reason, ...absent)) return undefined;
    throw reason;
  }
}

/** What the directory at a path is, as records write it; undefined when nothing is there. */
export async function fileidAt(share: Share, path: SharePath): Promise<string | undefined> {
  try {
    return `${(await share.stat(path)).fileid}`;
  } catch (reason) {
    if (hasCode(reason, ...absent)) return undefined;
    throw reason;
  }
}

/** The identity in a record's directory, or undefined when there is none. */
export async function identityAt(share: Share, path: SharePath): Promise<Identity | undefined> {
  return await decodedAt(share, join(path, identityFile), decodeIdentity);
}

/** Whether there is anything at a path, whatever it is. */
export async function isThere(share: Share, path: SharePath): Promise<boolean> {
  try {
    await share.stat(path);
    return true;
  } catch (reason) {
    if (hasCode(reason, ...absent)) return false;
    throw reason;
  }
}

/** What is in a directory, if it is there. @param entriesMax the first so many */
export async function entriesOf(
  share: Share,
  path: SharePath,
  entriesMax = Number.POSITIVE_INFINITY,
): Promise<ShareEntry[]> {
  const entries: ShareEntry[] = [];
  try {
    for await (const entry of share.list(path)) {
      entries.push(entry);
      if (entries.length >= entriesMax) break;
    }
  } catch (reason) {
    if (!hasCode(reason, ...absent)) throw reason;
  }
  return entries;
}

/** For `catch`: a record that is half written, or somebody has made, is none. */
export function ignoreUnreadable(reason: unknown): undefined {
  if (!hasCode(reason, "failed-precondition", "storage-too-large")) throw reason;
}

/** Whether nothing is in a directory, or the directory is gone. */
export async function isEmpty(share: Share, path: SharePath): Promise<boolean> {
  try {
    for await (const _ of share.list(path)) return false;
  } catch (reason) {
    if (!hasCode(reason, ...absent)) throw reason;
  }
  return true;
}

/** What is gone, in use or no directory stays as it is. */
export async function removeIfEmpty(share: Share, path: SharePath): Promise<void> {
  try {
    await share.removeDirectory(path);
  } catch (reason) {
    if (!hasCode(reason, ...absent, "storage-not-empty")) throw reason;
  }
}

/**
 * What the share knows of a volume, or undefined when nobody has claimed the name.
 * @throws BerthError `failed-precondition` for a record that cannot be read
 */
export async function readRecord(share: Share, name: VolumeName): Promise<VolumeRecord | undefined> {
  return await readRecordAt(share, recordPath(name));
}

/** The same where most likely there is none: that is found out in one round trip. */
export async function findRecord(share: Share, name: VolumeName): Promise<VolumeRecord | undefined> {
  return (await isThere(share, recordPath(name))) ? await readRecord(share, name) : undefined;
}

/** The record in a directory: in its place, or in the trash. */
export async function readRecordAt(share: Share, path: SharePath): Promise<VolumeRecord | undefined> {
  const [files, identity] = await Promise.all([fileNames(share, path), identityAt(share, path)]);
  if (files === undefined || identity === undefined) return undefined;
  const nonce = nonceOf(identity);
  const generation = Math.max(0, ...files.map((file) => generationOf(file, nonce) ?? 0));
  const size =
    generation > 0 ? await decodedAt(share, join(path, sizeFile(generation, nonce)), decodeSize) : undefined;
  return {
    identity,
    generation,
    sizeBytes: BigInt((size ?? identity).sizeBytes),
    deleted: files.includes(deletedFile(nonce)) ? await deletedAt(share, path, nonce) : undefined,
  };
}

/** The same of what directs a deletion: no size that somebody has broken keeps a volume. */
export async function readFateAt(share: Share, path: SharePath): Promise<VolumeFate | undefined> {
  const identity = await identityAt(share, path);
  return identity && { identity, deleted: await deletedAt(share, path, nonceOf(identity)) };
}

/** What a record's directory says of the deletion of the volume with this nonce, if that is decided. */
export async function deletedAt(share: Share, path: SharePath, nonce: Nonce): Promise<Deleted | undefined> {
  return await decodedAt(share, join(path, deletedFile(nonce)), decodeDeleted);
}

async function decodedAt<T>(
  share: Share,
  path: SharePath,
  decode: (content: Uint8Array, where: string) => T,
): Promise<T | undefined> {
  const content = await readIfThere(share, path);
  return content === undefined ? undefined : decode(content, path);
}

/**
 * A record as what it must be before it directs anything: this very volume's, and ours. A forged or
 * broken one must not lead an operation to another directory.
 * @throws BerthError `failed-precondition`
 */
export function checkRecord(
  { identity }: Pick<VolumeFate, "identity">,
  id: VolumeId,
  owner: Owner,
  share: string,
): void {
  if (identity.id !== printVolumeId(id)) {
    throw new BerthError(
      "failed-precondition",
      `${share}: the record of ${id.name} says that it is volume ${identity.id} in directory ${identity.directory.path}: ` +
        "somebody changed it; restore it from a backup",
    );
  }
  if (!isOwnedBy(identity, owner)) {
    throw new BerthError(
      "failed-precondition",
      `${share}: volume ${id.name} belongs to cluster ${identity.cluster}, driver ${identity.driver}, ` +
        `not to cluster ${owner.cluster}, driver ${owner.driver}: let that one work on it`,
    );
  }
}

/** Whether a record, wherever it was moved, still says what it said of a deletion. */
export async function stillDecided(
  share: Share,
  at: SharePath,
  { identity, deleted }: VolumeFate,
): Promise<boolean> {
  return deleted === undefined || (await isThere(share, join(at, deletedFile(nonceOf(identity)))));
}

/**
 * Whether a deletion that had been decided was taken back in the meantime (`berth trash restore`). The record may be on
 * its way into the trash, or on its way back: with what says that it is deleted, or without.
 */
export async function wasRestored(share: Share, name: VolumeName, record: VolumeFate): Promise<boolean> {
  if (record.deleted === undefined) return false;
  const nonce = nonceOf(record.identity);
  const places = [recordPath(name), trashedRecordPath(nonce)];
  for (const at of places) if (await stillDecided(share, at, record)) return false;
  for (const at of places) if ((await identityAt(share, at))?.nonce === nonce) return true;
  return false; // the deletion is finished
}

/** Where a volume stands is not written down but seen: at its path, or not yet. */
export function volumeOf(id: VolumeId, record: VolumeRecord, inPlace: boolean): Volume {
  const { identity } = record;
  return {
    id,
    requestedName: identity.requestedName,
    state: record.deleted !== undefined ? "deleting" : inPlace ? "ready" : "creating",
    sizeBytes: record.sizeBytes,
    directory: identity.directory.path,
    accessModes: identity.accessModes,
    parameters: identity.parameters,
    createdMs: Date.parse(identity.createdAt),
    ...(identity.claim && { claim: identity.claim }),
  };
}

/** True when the volume's own directory is at its path: it, not something of the same name. */
export async function isInPlace(share: Share, { identity }: VolumeFate): Promise<boolean> {
  try {
    const found = await share.stat(identity.directory.path);
    return found.type === "directory" && found.fileid === BigInt(identity.directory.fileid);
  } catch (reason) {
    if (hasCode(reason, ...absent)) return false;
    throw reason;
  }
}

/** The names that have a record's directory, in order. */
export async function listNames(share: Share): Promise<VolumeName[]> {
  const names: VolumeName[] = [];
  try {
    for await (const entry of share.list(volumesPath)) {
      const name = entry.type === "directory" ? volumeNameIn(entry.name) : undefined;
      if (name !== undefined) names.push(name);
    }
  } catch (reason) {
    if (!hasCode(reason, "storage-no-entry")) throw reason; // no volume was ever made there
  }
  return names.sort();
}

/** The deleted volumes in the trash, whoever's they are. */
export async function listTrashEntries(share: Share): Promise<TrashEntry[]> {
  const entries: TrashEntry[] = [];
  try {
    for await (const { name } of share.list(trashPath)) {
      const entry = trashEntryIn(name);
      if (entry !== undefined) entries.push(entry);
    }
  } catch (reason) {
    if (!hasCode(reason, "storage-no-entry")) throw reason; // nothing was ever deleted there
  }
  return entries;
}

/** The id that a record carries, where it is one of this owner's, and of that name if one is given. */
export function idOf(
  { identity }: VolumeRecord,
  name: VolumeName | undefined,
  owner: Owner,
): VolumeId | undefined {
  const id = parseVolumeId(identity.id);
  return id !== undefined && id.name === (name ?? id.name) && isOwnedBy(identity, owner) ? id : undefined;
}

async function fileNames(share: Share, path: SharePath): Promise<string[] | undefined> {
  try {
    const names: string[] = [];
    for await (const entry of share.list(path)) names.push(entry.name);
    return names;
  } catch (reason) {
    if (hasCode(reason, "storage-no-entry")) return undefined;
    throw reason;
  }
}
