import { assert } from "../core/assert.ts";
import type { Call } from "../core/call.ts";
import { BerthError, hasCode } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { Nonce } from "../core/nonce.ts";
import { sideBySide } from "../core/side-by-side.ts";
import { printVolumeId, type VolumeName } from "../core/volume-id.ts";
import type { FileStat, Share } from "../share/share.ts";
import { join, type SharePath } from "../share/share-path.ts";
import {
  ensureLayout,
  fileidAt,
  findRecord,
  isInPlace,
  isThere,
  readRecord,
  removeIfEmpty,
  volumeOf,
} from "./catalog.ts";
import { forget, makeClaim } from "./claim.ts";
import type { ShareContext } from "./context.ts";
import {
  berthName,
  directoryPath,
  identityFile,
  parentsOf,
  recordPath,
  stagedFilePath,
  stagedTreePath,
  stagingPath,
} from "./layout.ts";
import { giveAttributes } from "./owner-change.ts";
import { findHeld } from "./path-claim.ts";
import { clear, moveIntoPlace, refuseClosed, statIfThere } from "./place.ts";
import { encodeRecord, type Identity, isOwnedBy, newIdentity, type VolumeRecord } from "./record.ts";
import { fateOf, retire } from "./retire.ts";
import { comeAgain, settled } from "./settled.ts";
import type { CapacityRange, Volume, VolumeRequest } from "./volume.ts";

/** A volume of no particular size is recorded as this. */
const defaultSizeBytes = 1n << 30n;
const attemptsMax = 5;

/**
 * Creates a volume, or goes on with a creation that was cut off. Its steps:
 *
 * 1. make the record's directory, look what is at the path, and build the directory in staging under a name with a
 *    nonce, with its final mode and owner;
 * 2. claim the volume's name: the record, which names the nonce and the directory's fileid, is linked;
 * 3. claim its path, and make the parents that are missing;
 * 4. rename the directory to its path.
 *
 * The directory is made before the claim, so it is made once: whoever else goes on with this claim can
 * only rename what is there, never a second, empty directory over a volume in use. A directory that is
 * adopted is where it is: it is claimed, and no more.
 */
export async function createVolume(
  context: ShareContext,
  call: Call,
  request: VolumeRequest,
): Promise<Volume> {
  const { share } = context;
  const name = request.id.name;
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    call.signal.throwIfAborted();
    call.effects.begin();
    const { isMade, found, existing } = await begin(share, name, pathOf(request));
    if (found === undefined) {
      if (existing !== undefined && !(await mayAdopt(context, request, existing))) continue;
      const claimed = await buildAndClaim(context, request, existing, isMade);
      if (claimed === undefined) continue;
      await moveIntoPlace(context, name, claimed.record, request.adopt, claimed.temporary);
      return volumeOf(request.id, claimed.record, true);
    }
    if (found.deleted !== undefined && isOwnedBy(found.identity, context.owner)) {
      // A deletion that was cut off: finish it, then start anew.
      await retire(context, name, found, fateOf(found)).catch((reason: unknown) => {
        throw comeAgain(reason);
      });
      continue;
    }
    refuseOther(context, request, found);
    const isAdopted = found.identity.adopted === true; // in place from the start, whoever has claimed it
    if (isAdopted || !(await isInPlace(share, found)))
      await moveIntoPlace(context, name, found, request.adopt);
    return volumeOf(request.id, found, true);
  }
  throw new BerthError("aborted", `${share.name}: ${name} keeps changing while it is created: retry`);
}

/**
 * Makes the record's directory, and looks what is at the path. Most often nothing of the name is there: then this first
 * step of all tells so, and no look at the record is needed.
 * @returns whether this made the directory, or what was found instead
 */
async function begin(
  share: Share,
  name: VolumeName,
  path: SharePath,
): Promise<{
  readonly isMade: boolean;
  readonly found: VolumeRecord | undefined;
  readonly existing: FileStat | undefined;
}> {
  const undo = () => removeIfEmpty(share, recordPath(name));
  const unknown = async (reason: unknown): Promise<never> => {
    await refuseClosed(share, name, path, reason);
    if (!hasCode(reason, "failed-precondition")) throw reason;
    // What an earlier attempt left is not known: no answer may be final.
    throw new BerthError("unavailable", `${share.name}: ${reason.message}`, { cause: reason });
  };
  const [obstacle, existing] = await sideBySide<[unknown, FileStat | undefined]>([
    share.makeDirectory(recordPath(name), 0o700).then(
      () => undefined,
      (reason: unknown) => reason,
    ),
    statIfThere(share, path),
  ]).catch(unknown);
  if (obstacle === undefined) return { isMade: true, found: undefined, existing };
  const found = await findRecord(share, name).catch(unknown);
  if (found !== undefined || hasCode(obstacle, "storage-exists", "storage-no-entry"))
    return { isMade: false, found, existing };
  throw await settled(obstacle, undo);
}

/**
 * What to do about something that is at the path already. @returns false when it has gone, or its owner has come:
 * look again. @throws BerthError for what is not taken over; nothing is left then
 */
async function mayAdopt(context: ShareContext, request: VolumeRequest, existing: FileStat): Promise<boolean> {
  const { share } = context;
  const { name } = request.id;
  try {
    if ((await readRecord(share, name)) !== undefined) return false; // made since the first look
    const held = await findHeld(context, pathOf(request));
    if (held === undefined) {
      // An empty parent has gone with the last claim below it.
      if ((await fileidAt(share, pathOf(request))) !== `${existing.fileid}`) return false;
      await refuseExisting(context, request, existing);
      return true;
    }
    await clear(context, pathOf(request), held).catch((reason: unknown) => {
      throw comeAgain(reason);
    });
    return false;
  } catch (reason) {
    await removeIfEmpty(share, recordPath(name));
    throw reason;
  }
}

const pathOf = ({ path, id }: VolumeRequest): SharePath => path ?? directoryPath(id.name);

/** What existed before Berth is taken over only if the class says so. */
async function refuseExisting(
  { share }: ShareContext,
  request: VolumeRequest,
  existing: FileStat,
): Promise<void> {
  const path = pathOf(request);
  const refuse = (code: "already-exists" | "failed-precondition", cause: string, remedy: string) =>
    new BerthError(code, `${share.name}: ${path} exists and ${cause}: ${remedy}`);
  if (request.adopt === undefined) {
    const remedy = "move it away, ask for another name, or let a class of exports adopt it (adoptExisting)";
    throw refuse("already-exists", "is no volume of Berth", remedy);
  }
  if (existing.type !== "directory") {
    throw refuse("failed-precondition", `is a ${existing.type}`, "only a directory can be adopted");
  }
  for (const directory of [...parentsOf(path), path]) {
    const isShare = await isThere(share, join(directory, berthName)).catch((reason: unknown) => {
      if (!hasCode(reason, "storage-access")) throw reason;
      return false; // closed to Berth, so it never worked in there
    });
    if (!isShare) continue;
    const cause = `${directory} has a folder ${berthName}, so volumes of another share lie in it`;
    throw refuse("failed-precondition", cause, "adopt a directory of that share by its own export");
  }
  await ensureLayout(share);
  if ((await share.stat(stagingPath)).fsid !== existing.fsid) {
    const remedy = "give that an export of its own";
    throw refuse("failed-precondition", "lies on another file system than the share", remedy);
  }
}

/** A claim that stands, of a request that differs. */
function refuseOther(
  { share, owner }: ShareContext,
  request: VolumeRequest,
  { identity, sizeBytes }: VolumeRecord,
): void {
  const differs = (what: string, has: string, wants: string): BerthError =>
    new BerthError(
      "already-exists",
      `${share.name}: volume ${request.id.name} exists with ${what} ${has}, but ${wants} is asked for: ` +
        "delete it first, or ask for another name",
    );
  if (!isOwnedBy(identity, owner)) {
    throw differs("owner", `${identity.cluster}/${identity.driver}`, `${owner.cluster}/${owner.driver}`);
  }
  if (identity.id !== printVolumeId(request.id)) throw differs("id", identity.id, printVolumeId(request.id));
  if (identity.requestedName !== request.requestedName) {
    throw differs("name", identity.requestedName, request.requestedName);
  }
  if (identity.directory.path !== pathOf(request)) {
    throw differs("directory", identity.directory.path, pathOf(request));
  }
  const { requiredBytes, limitBytes } = request.capacity;
  if (sizeBytes < requiredBytes) throw differs("size", `${sizeBytes}`, `at least ${requiredBytes} bytes`);
  if (limitBytes > 0n && sizeBytes > limitBytes)
    throw differs("size", `${sizeBytes}`, `at most ${limitBytes} bytes`);
  for (const key of new Set([...Object.keys(identity.parameters), ...Object.keys(request.parameters)])) {
    const [has, wants] = [identity.parameters[key], request.parameters[key]];
    if (has !== wants) throw differs(`parameter ${key}`, JSON.stringify(has), `${JSON.stringify(wants)}`);
  }
}

/**
 * Steps 1 and 2.
 * @param adopted what is at the path already
 * @param isMade the record's directory was made a moment ago
 * @returns undefined when somebody else has the claim: what was built is removed, the next look finds theirs
 */
async function buildAndClaim(
  context: ShareContext,
  request: VolumeRequest,
  adopted: FileStat | undefined,
  isMade: boolean,
): Promise<{ record: VolumeRecord; temporary: SharePath } | undefined> {
  const { share, newNonce } = context;
  const { name } = request.id;
  const nonce = newNonce();
  const staged = stagedTreePath(name, nonce);
  const temporary = stagedFilePath(nonce);
  const undo = async (): Promise<void> => {
    await sideBySide([removeIfEmpty(share, staged), forget(share, temporary)]);
    await removeIfEmpty(share, recordPath(name));
  };
  try {
    const [directory] = await sideBySide<[FileStat, unknown]>([
      adopted === undefined ? build(context, request, staged) : Promise.resolve(adopted),
      isMade ? Promise.resolve() : makeRecordDirectory(context, name),
    ]);
    const identity = identityFor(context, request, nonce, directory, adopted !== undefined);
    const content = encodeRecord(identity);
    if (content.length > limits.recordBytesMax) {
      await undo();
      throw new BerthError(
        "invalid-argument",
        `${share.name}: the record of volume ${name} would have ${content.length} bytes, more than the ` +
          `${limits.recordBytesMax} that are read again: give it fewer mount flags`,
      );
    }
    const outcome = await makeClaim(share, temporary, join(recordPath(name), identityFile), content);
    if (outcome === "claimed") {
      const sizeBytes = BigInt(identity.sizeBytes);
      return { record: { identity, generation: 0, sizeBytes, deleted: undefined }, temporary };
    }
    await sideBySide([removeIfEmpty(share, staged), forget(share, temporary)]);
    return undefined;
  } catch (reason) {
    throw await settled(reason, undo);
  }
}

async function build(context: ShareContext, request: VolumeRequest, staged: SharePath): Promise<FileStat> {
  const made = await makeStaged(context, staged, request.directory.mode);
  await giveAttributes(context.share, staged, made, request.directory);
  return made;
}

async function makeStaged(context: ShareContext, staged: SharePath, mode: number): Promise<FileStat> {
  try {
    return await context.share.makeDirectory(staged, mode);
  } catch (reason) {
    if (!hasCode(reason, "storage-no-entry")) throw reason;
    await ensureLayout(context.share); // the first volume of the share
    return await context.share.makeDirectory(staged, mode);
  }
}

async function makeRecordDirectory({ share }: Pick<ShareContext, "share">, name: VolumeName): Promise<void> {
  try {
    await share.makeDirectory(recordPath(name), 0o700);
  } catch (reason) {
    if (hasCode(reason, "storage-exists")) return; // another attempt made it: the claim decides
    if (!hasCode(reason, "storage-no-entry")) throw reason;
    await ensureLayout(share); // the first volume of the share
    await makeRecordDirectory({ share }, name);
  }
}

function identityFor(
  context: ShareContext,
  request: VolumeRequest,
  nonce: Nonce,
  directory: FileStat,
  isAdopted: boolean,
): Identity {
  const { id, requestedName, accessModes, mountFlags, parameters, trashRetentionMs, claim } = request;
  const { uid, gid } = request.adopt ?? request.directory;
  const mode = isAdopted ? (request.adopt?.mode ?? directory.mode) : request.directory.mode;
  return newIdentity({
    ...context.owner,
    id: printVolumeId(id),
    requestedName,
    nonce,
    directory: {
      path: pathOf(request),
      fsid: `${directory.fsid}`,
      fileid: `${directory.fileid}`,
      mode: mode.toString(8).padStart(4, "0"),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    },
    sizeBytes: `${sizeFor(request.capacity)}`,
    accessModes: [...accessModes],
    mountFlags: [...mountFlags],
    parameters,
    ...(claim === undefined ? {} : { claim }),
    trashRetentionMs,
    ...(request.onDelete === undefined ? {} : { onDelete: request.onDelete }),
    ...(isAdopted ? { adopted: true as const } : {}),
    createdAt: new Date(context.clock.nowMs()).toISOString(),
  });
}

function sizeFor({ requiredBytes, limitBytes }: CapacityRange): bigint {
  assert(limitBytes === 0n || requiredBytes <= limitBytes, "a capacity range is checked at the edge");
  if (requiredBytes > 0n) return requiredBytes;
  return limitBytes > 0n && limitBytes < defaultSizeBytes ? limitBytes : defaultSizeBytes;
}
