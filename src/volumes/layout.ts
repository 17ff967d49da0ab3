import type { Nonce } from "../core/nonce.ts";
import { parseVolumeName, type VolumeName } from "../core/volume-id.ts";
import { join, parseSharePath, type SharePath, shareRoot } from "../share/share-path.ts";

/**
 * What lies where on a share:
 *
 *     <name>/                            a volume: only this is ever mounted into a pod
 *     .berth/volumes/<name>/             its record: identity.json, size-<n>.<nonce>.json, deleted.<nonce>.json
 *     .berth/staging/<name>.<nonce>/     a tree being built
 *     .berth/staging/<nonce>.json        a record on its way to its name
 *     .berth/trash/<nonce>/{tree,record} a deleted volume, waiting for the reaper
 */
const berth = parseSharePath(".berth");

export const volumesPath = join(berth, "volumes");
export const stagingPath = join(berth, "staging");
export const trashPath = join(berth, "trash");

/** In the order in which they are made: staging comes last, since a share without it has them all made anew. */
export const layoutPaths: readonly SharePath[] = [berth, volumesPath, trashPath, stagingPath];

export const identityFile = "identity.json";
export const treeName = "tree";
export const recordName = "record";
/** A record whose tree has been removed. */
export const purgedName = "purged";

export const directoryPath = (name: VolumeName): SharePath => join(shareRoot, name);
export const recordPath = (name: VolumeName): SharePath => join(volumesPath, name);
export const stagedTreePath = (name: VolumeName, nonce: Nonce): SharePath =>
  join(stagingPath, `${name}.${nonce}`);
export const stagedFilePath = (nonce: Nonce): SharePath => join(stagingPath, `${nonce}.json`);
export const trashEntryPath = (nonce: Nonce): SharePath => join(trashPath, nonce);

/**
 * What is linked into a record later names the record's nonce: a call that was frozen while the volume was
 * deleted and created anew reaches the new record by its path, and must mean nothing there.
 */
export const deletedFile = (nonce: Nonce): string => `deleted.${nonce}.json`;
export const sizeFile = (generation: number, nonce: Nonce): string => `size-${generation}.${nonce}.json`;

/** The generation that a file of the record with this nonce stands for, if it is one of its sizes. */
export function generationOf(fileName: string, nonce: Nonce): number | undefined {
  const [, digits, of] = /^size-([1-9][0-9]{0,8})\.([^.]+)\.json$/.exec(fileName) ?? [];
  return digits === undefined || of !== nonce ? undefined : Number(digits);
}

/** A listed name as a volume's, or undefined for what is not Berth's. */
export function volumeNameIn(fileName: string): VolumeName | undefined {
  try {
    return parseVolumeName(fileName);
  } catch {
    return undefined; // somebody else's file
  }
}
