import { type Nonce, nonceIn } from "../core/nonce.ts";
import { parseVolumeName, type VolumeName } from "../core/volume-id.ts";
import { componentsOf, join, parseSharePath, type SharePath, shareRoot } from "../share/share-path.ts";

/**
 * What lies where on a share:
 *
 *     <name>/, or <subDir>/              a volume: only this is ever mounted into a pod
 *     .berth/volumes/<name>/             its record: identity.json, size-<n>.<nonce>.json, deleted.<nonce>.json
 *     .berth/paths/<directory>           the claim on its directory: another name of its identity.json
 *     .berth/paths/<parent>/.berth       says that Berth made this parent of volumes' directories
 *     .berth/staging/<name>.<nonce>/     a tree being built
 *     .berth/staging/<nonce>.parent/     a parent being built
 *     .berth/staging/<nonce>.json        a record on its way to its name, or a claim on its way out
 *     .berth/trash/<nonce>/{tree,record} a deleted volume, waiting for the reaper
 *     .berth/trash/<nonce>.purging/      the same, once the reaper has begun to remove it
 *     .berth/reserve/<n>                 of no use but its space, which a deletion takes when the share is full
 *     .berth/kept/<nonce>/               the record of a deleted volume whose directory was kept (onDelete)
 */
export const berthName = ".berth";
const berth = parseSharePath(berthName);

export const volumesPath = join(berth, "volumes");
export const stagingPath = join(berth, "staging");
export const trashPath = join(berth, "trash");
export const claimsPath = join(berth, "paths");
export const keptPath = join(berth, "kept");
export const reservePath = join(berth, "reserve");

/** In the order in which they are made: staging comes last, since a share without it has them all made anew. */
export const layoutPaths: readonly SharePath[] = [
  berth,
  volumesPath,
  trashPath,
  claimsPath,
  keptPath,
  stagingPath,
];

/** Where each volume's record, and each deleted volume, has a directory of its own. */
export const holderPaths: readonly SharePath[] = [volumesPath, trashPath];

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
export const stagedParentPath = (nonce: Nonce): SharePath => join(stagingPath, `${nonce}.parent`);
export const trashEntryPath = (nonce: Nonce): SharePath => join(trashPath, nonce);
export const trashedRecordPath = (nonce: Nonce): SharePath => join(trashEntryPath(nonce), recordName);
const purgingSuffix = ".purging";
/** Nothing is renamed into an entry of this name, however late a deletion is. */
export const purgingEntryPath = (nonce: Nonce): SharePath => join(trashPath, `${nonce}${purgingSuffix}`);
export const keptRecordPath = (nonce: Nonce): SharePath => join(keptPath, nonce);

/** Where the claim on a volume's directory is: the claims are a tree of the same shape as the directories. */
export const claimPathOf = (directory: SharePath): SharePath => join(claimsPath, ...componentsOf(directory));
/** No component of a volume's directory has this name, so no claim does. */
export const parentMarkerPath = (parent: SharePath): SharePath => join(claimPathOf(parent), berthName);

const archiveNonceLength = 8;
/** What `archivePathOf` adds to a name; a name of a class with `onDelete: archive` leaves room for it. */
export const archiveBytes = "archived-".length + 1 + archiveNonceLength;

/** Beside the directory, and the same for every attempt to archive it; no other volume's archive has this name. */
export function archivePathOf(directory: SharePath, nonce: Nonce): SharePath {
  const components = componentsOf(directory);
  const last = components.pop() ?? "";
  return join(shareRoot, ...components, `archived-${last}-${nonce.slice(0, archiveNonceLength)}`);
}

/** The directories that a volume's lies in, the outermost first; without the share itself. */
export function parentsOf(directory: SharePath): SharePath[] {
  const components = componentsOf(directory);
  return components.slice(1).map((_, index) => join(shareRoot, ...components.slice(0, index + 1)));
}

/**
 * What is put into a record later names the record's nonce: a call that was frozen while the volume was
 * deleted and created anew reaches the new record by its path, and must mean nothing there.
 */
export const deletedFile = (nonce: Nonce): string => `deleted.${nonce}.json`;
export const sizeFile = (generation: number, nonce: Nonce): string => `size-${generation}.${nonce}.json`;

/** The generation that a file of the record with this nonce stands for, if it is one of its sizes. */
export function generationOf(fileName: string, nonce: Nonce): number | undefined {
  const [, digits, of] = /^size-([1-9][0-9]{0,8})\.([^.]+)\.json$/.exec(fileName) ?? [];
  return digits === undefined || of !== nonce ? undefined : Number(digits);
}

/** One deleted volume. */
export interface TrashEntry {
  readonly nonce: Nonce;
  readonly path: SharePath;
}

/** A name listed in the trash as an entry, or undefined for what is not Berth's. */
export function trashEntryIn(fileName: string): TrashEntry | undefined {
  const isPurging = fileName.endsWith(purgingSuffix);
  const nonce = nonceIn(isPurging ? fileName.slice(0, -purgingSuffix.length) : fileName);
  if (nonce === undefined) return undefined;
  return { nonce, path: isPurging ? purgingEntryPath(nonce) : trashEntryPath(nonce) };
}

/** A listed name as a volume's, or undefined for what is not Berth's. */
export function volumeNameIn(fileName: string): VolumeName | undefined {
  try {
    return parseVolumeName(fileName);
  } catch {
    return undefined; // somebody else's file
  }
}
