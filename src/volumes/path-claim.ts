import { hasCode } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { Nonce } from "../core/nonce.ts";
import { parseVolumeId, type VolumeName } from "../core/volume-id.ts";
import type { Share } from "../share/share.ts";
import { join, type SharePath } from "../share/share-path.ts";
import {
  absent,
  ensureLayout,
  entriesOf,
  ignoreAbsent,
  isThere,
  readRecord,
  removeIfEmpty,
  stillDecided,
  typeAt,
  wasRestored,
} from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import {
  berthName,
  claimPathOf,
  parentMarkerPath,
  parentsOf,
  stagedFilePath,
  trashedRecordPath,
} from "./layout.ts";
import { removeParent } from "./parents.ts";
import { decodeIdentity, type Identity, nonceOf, type VolumeFate, type VolumeRecord } from "./record.ts";

/**
 * Directories are claimed, so that none is, contains, or lies in another volume's. The claims are a tree of
 * the same shape: `.berth/paths/a/b` is a **file** where `a/b` is a volume's directory, and a **directory**
 * where volumes lie below it. One name cannot be both, and nothing can be made below a file: so one link
 * decides all three questions at once, between any number of processes, and what counts as the same name is
 * decided by the file system that holds the volumes themselves, whatever it thinks of case.
 *
 * The file is another name of the volume's `identity.json`, so a claim says whose it is. It is linked after
 * the record's and let go before it: a claim whose record is gone or is another's was left behind, and whoever
 * meets it takes it away.
 */
export type ClaimOutcome =
  /** @property isMoved whether `source` has gone with it */
  { readonly kind: "claimed"; readonly isMoved: boolean } | ({ readonly kind: "taken" } & Held);

/** A directory that a volume has. */
export interface Held {
  readonly at: SharePath;
  readonly holder: Holder;
}

interface Holder {
  readonly name: VolumeName;
  readonly record: VolumeRecord;
}

type Look =
  | { readonly kind: "free" }
  | { readonly kind: "held"; readonly at: SharePath; readonly identity: Identity }
  | { readonly kind: "below" };

/** Other volumes come and go in the same parents meanwhile; each may cost an attempt. */
const attemptsMax = 32;
/** Claims and folders looked through to find who lies below a path. */
const looksBelowMax = 1000;

/**
 * Claims the directory that a record names.
 * @param source a name of the record's `identity.json`
 * @param fate of that name, once the directory is claimed
 * @throws BerthError `storage-no-entry` when `source` is gone: the volume was deleted meanwhile
 */
export async function claimPath(
  context: ShareContext,
  { identity }: VolumeRecord,
  source: SharePath,
  fate: "keep" | "move",
): Promise<ClaimOutcome> {
  const { share } = context;
  const { path } = identity.directory;
  let refusal: unknown;
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const claiming = { kind: "link", existing: source, created: claimPathOf(path) } as const;
    const forgetting = fate === "move" ? [{ kind: "removeFile", path: source } as const] : [];
    ({ failure: refusal } = await share.inOrder([claiming, ...forgetting]));
    if (refusal === undefined) return { kind: "claimed", isMoved: fate === "move" };
    const found = await look(share, path);
    if (found.kind === "held" && found.at === path && found.identity.nonce === identity.nonce) {
      return { kind: "claimed", isMoved: false }; // by an earlier attempt, or by this one, whose answer was lost
    }
    if (!hasCode(refusal, "storage-exists", ...absent)) throw refusal;
    if (found.kind === "free") {
      if (!(await isThere(share, source))) throw refusal;
      await makeFolders(share, path);
      continue;
    }
    const other = found.kind === "held" ? found : await firstBelow(context, path);
    if (other === undefined) continue;
    const holder = await holderOf(share, other.identity);
    if (holder !== undefined) return { kind: "taken", at: other.at, holder };
    await releaseStale(context, other.at, nonceOf(other.identity));
  }
  throw refusal;
}

/** The volume that has a directory, contains it, or lies in it. */
export async function findHeld(context: ShareContext, directory: SharePath): Promise<Held | undefined> {
  const found = await look(context.share, directory);
  if (found.kind === "free") return undefined;
  const other = found.kind === "held" ? found : await firstBelow(context, directory);
  const holder = other === undefined ? undefined : await holderOf(context.share, other.identity);
  return other === undefined || holder === undefined ? undefined : { at: other.at, holder };
}

/** Whose directory this is, or undefined. @throws BerthError `failed-precondition` for a claim that cannot be read */
export async function claimAt(share: Share, directory: SharePath): Promise<Identity | undefined> {
  return await claimIn(share, claimPathOf(directory));
}

/** Lets a directory go, if this volume has it. Called once the volume's tree has left. */
export async function releasePath(context: ShareContext, record: VolumeFate): Promise<void> {
  const { nonce, directory } = record.identity;
  if ((await claimAt(context.share, directory.path))?.nonce === nonce) await letGo(context, record);
}

/**
 * The same where this volume had it a moment ago.
 * @param goes where its record goes meanwhile
 * @param going settles when it has: a look before that would hold it up (see `DirectoryGates`), and tell less
 */
export async function letGo(
  context: ShareContext,
  record: VolumeFate,
  goes: SharePath = trashedRecordPath(nonceOf(record.identity)),
  going: Promise<unknown> = Promise.resolve(),
): Promise<void> {
  const { path } = record.identity.directory;
  const nonce = nonceOf(record.identity);
  const name = parseVolumeId(record.identity.id)?.name;
  // Most often the record is there by now, and nothing else has to be asked.
  const isBack = async (): Promise<boolean> => {
    await Promise.allSettled([going]);
    if (name === undefined || (await stillDecided(context.share, goes, record))) return false;
    return await wasRestored(context.share, name, record);
  };
  await takeAway(context, path, async (moved) => moved.nonce === nonce, isBack);
}

/**
 * The record that a claim speaks for, if it still does. Where the claim was found does not matter: a file
 * system that sees no difference between upper and lower case, or between two spellings of an accent, finds it
 * under names that its record does not have.
 */
export async function holderOf(share: Share, { id, nonce }: Identity): Promise<Holder | undefined> {
  const name = parseVolumeId(id)?.name;
  const record = name === undefined ? undefined : await readRecord(share, name);
  return name === undefined || record?.identity.nonce !== nonce ? undefined : { name, record };
}

async function releaseStale(context: ShareContext, at: SharePath, nonce: Nonce): Promise<void> {
  if ((await claimAt(context.share, at))?.nonce !== nonce) return;
  // Looked at again: its volume may have been restored from the trash in the meantime.
  await takeAway(
    context,
    at,
    async (moved) => moved.nonce === nonce && (await holderOf(context.share, moved)) === undefined,
    async () => false,
  );
}

/**
 * Between a look and a removal another process may have let the claim go and a third have claimed: so it is
 * moved aside first, looked at there, and another's is linked back, which replaces nothing.
 * @param mayGo whether it is the one that was meant
 * @param isBack whether it came back into use meanwhile, looked at beside that; another's does not wait for it
 */
async function takeAway(
  { share, newNonce }: ShareContext,
  directory: SharePath,
  mayGo: (moved: Identity) => Promise<boolean>,
  isBack: () => Promise<boolean>,
): Promise<void> {
  const aside = stagedFilePath(newNonce());
  try {
    await share.rename(claimPathOf(directory), aside);
  } catch (reason) {
    if (hasCode(reason, ...absent)) return;
    throw reason;
  }
  const back = isBack();
  back.catch(() => {}); // whoever waits for it hears of it
  const moved = await claimIn(share, aside);
  if (moved === undefined) return await moveBack(share, aside, directory);
  if (!(await mayGo(moved)) || (await back)) await linkBack(share, aside, directory);
  await share.removeFile(aside).catch(ignoreAbsent);
}

/** Somebody has let the claim go since, and volumes have come below. What cannot go back as one is left to the sweeper. */
async function moveBack(share: Share, folder: SharePath, directory: SharePath): Promise<void> {
  try {
    await share.rename(folder, claimPathOf(directory));
  } catch (reason) {
    if (!hasCode(reason, ...absent, "storage-exists", "storage-not-empty")) throw reason;
  }
}

/** Gives a claim that was moved aside its name back, unless somebody else has that by now. */
export async function linkBack(share: Share, aside: SharePath, directory: SharePath): Promise<void> {
  await makeFolders(share, directory);
  try {
    await share.link(aside, claimPathOf(directory));
  } catch (reason) {
    if (!hasCode(reason, "storage-exists", "storage-not-a-directory")) throw reason;
  }
}

/** From the outermost component on: where the claims end, or who has one of them. */
async function look(share: Share, path: SharePath): Promise<Look> {
  for (const at of [...parentsOf(path), path]) {
    const type = await typeAt(share, claimPathOf(at));
    if (type === undefined) return { kind: "free" };
    if (type === "directory") continue;
    const identity = await claimAt(share, at);
    return identity === undefined ? { kind: "free" } : { kind: "held", at, identity };
  }
  return { kind: "below" };
}

/**
 * A claim below a path; folders without any are removed on the way, and with them the parents that Berth made. One that
 * somebody else uses stays, and is no parent any more.
 */
async function firstBelow(
  { share }: ShareContext,
  path: SharePath,
): Promise<{ at: SharePath; identity: Identity } | undefined> {
  const pending = [path];
  const folders: SharePath[] = [];
  for (let looks = 0; looks < looksBelowMax; looks += 1) {
    const folder = pending.pop();
    if (folder === undefined) break;
    folders.push(folder);
    for (const { name, type } of await entriesOf(share, claimPathOf(folder), looksBelowMax)) {
      const at = join(folder, name);
      if (type === "directory") pending.push(at);
      else if (name !== berthName) {
        const identity = await claimAt(share, at);
        if (identity !== undefined) return { at, identity };
      }
    }
  }
  for (const folder of folders.reverse()) {
    if (await removeParent(share, folder)) continue;
    await share.removeFile(parentMarkerPath(folder)).catch(ignoreAbsent);
    await removeIfEmpty(share, claimPathOf(folder));
  }
  return undefined;
}

async function makeFolders(share: Share, path: SharePath): Promise<void> {
  await ensureLayout(share); // a share of an earlier version has no claims
  for (const parent of parentsOf(path)) {
    try {
      await share.makeDirectory(claimPathOf(parent), 0o700);
    } catch (reason) {
      if (!hasCode(reason, "storage-exists", ...absent)) throw reason; // the next look tells
    }
  }
}

/** The claim that a file is. */
export async function claimIn(share: Share, path: SharePath): Promise<Identity | undefined> {
  try {
    return decodeIdentity(await share.readFile(path, limits.recordBytesMax), path);
  } catch (reason) {
    if (hasCode(reason, ...absent, "storage-unsupported")) return undefined; // nothing, or a folder of claims
    throw reason;
  }
}
