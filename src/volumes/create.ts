import { assert } from "../core/assert.ts";
import type { Call } from "../core/call.ts";
import { BerthError, type DomainCode, hasCode, type StorageCode } from "../core/errors.ts";
import type { Nonce } from "../core/nonce.ts";
import { printVolumeId, type VolumeName } from "../core/volume-id.ts";
import type { FileStat, Share } from "../share/share.ts";
import { join, type SharePath } from "../share/share-path.ts";
import { admit } from "./admission.ts";
import { ensureLayout, isInPlace, isThere, readRecord, removeIfEmpty, volumeOf } from "./catalog.ts";
import { claimFile } from "./claim.ts";
import type { ShareContext } from "./context.ts";
import { directoryPath, identityFile, recordPath, stagedTreePath } from "./layout.ts";
import { encodeRecord, type Identity, isOwnedBy, newIdentity, nonceOf, type VolumeRecord } from "./record.ts";
import { retire } from "./retire.ts";
import type { CapacityRange, Volume, VolumeRequest } from "./volume.ts";

/** A volume of no particular size is recorded as this. */
const defaultSizeBytes = 1n << 30n;
const attemptsMax = 5;

/**
 * Creates a volume, or goes on with a creation that was cut off. Its steps:
 *
 * 1. build the directory in staging under a name with a nonce, with its final mode and owner;
 * 2. claim the volume's name: the record, which names the nonce and the directory's fileid, is linked;
 * 3. rename the directory to its path.
 *
 * The directory is made before the claim, so it is made once: whoever else goes on with this claim can
 * only rename what is there, never a second, empty directory over a volume in use.
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
    const found = await readRecord(share, name).catch((reason: unknown) => {
      call.effects.begin(); // what an earlier attempt left is not known: no answer may be final
      if (!hasCode(reason, "failed-precondition")) throw reason;
      throw new BerthError("unavailable", `${share.name}: ${reason.message}`, { cause: reason });
    });
    if (found === undefined) {
      await refuseWhatIsThere(context, name);
      call.effects.begin();
      const claimed = await buildAndClaim(context, request);
      if (claimed === undefined) continue;
      await moveIntoPlace(context, name, claimed);
      return volumeOf(request.id, claimed, true);
    } else if (found.deleted !== undefined && isOwnedBy(found.identity, context.owner)) {
      call.effects.begin();
      await retire(share, name, found); // a deletion that was cut off: finish it, then start anew
    } else {
      refuseOther(context, request, found);
      call.effects.begin(); // an earlier attempt made the claim
      if (await isInPlace(share, found, name)) return volumeOf(request.id, found, true);
      await moveIntoPlace(context, name, found);
      return volumeOf(request.id, found, true);
    }
  }
  throw new BerthError("aborted", `${share.name}: ${name} keeps changing while it is created: retry`);
}

/** What existed before Berth is never taken over. */
async function refuseWhatIsThere({ share }: ShareContext, name: VolumeName): Promise<void> {
  const path = directoryPath(name);
  if (!(await isThere(share, path))) return;
  throw new BerthError(
    "already-exists",
    `${share.name}: ${path} exists and is no volume of Berth: move it away, or ask for another name`,
  );
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
  const { requiredBytes, limitBytes } = request.capacity;
  if (sizeBytes < requiredBytes) throw differs("size", `${sizeBytes}`, `at least ${requiredBytes} bytes`);
  if (limitBytes > 0n && sizeBytes > limitBytes)
    throw differs("size", `${sizeBytes}`, `at most ${limitBytes} bytes`);
  for (const key of new Set([...Object.keys(identity.parameters), ...Object.keys(request.parameters)])) {
    const [has, wants] = [identity.parameters[key], request.parameters[key]];
    if (has !== wants) throw differs(`parameter ${key}`, JSON.stringify(has), `${JSON.stringify(wants)}`);
  }
}

/** Steps 1 and 2. @returns undefined when somebody else has the claim: what was built is removed, the next look finds theirs */
async function buildAndClaim(
  context: ShareContext,
  request: VolumeRequest,
): Promise<VolumeRecord | undefined> {
  const { share, newNonce } = context;
  const { name } = request.id;
  const nonce = newNonce();
  const staged = stagedTreePath(name, nonce);
  const undo = async (): Promise<void> => {
    await removeIfEmpty(share, staged);
    await removeIfEmpty(share, recordPath(name));
  };
  try {
    const directory = await build(context, request, nonce);
    await makeRecordDirectory(context, name);
    const identity = identityFor(context, request, nonce, directory);
    const outcome = await claimFile(
      share,
      join(recordPath(name), identityFile),
      encodeRecord(identity),
      nonce,
    );
    if (outcome === "claimed") {
      return { identity, generation: 0, sizeBytes: BigInt(identity.sizeBytes), deleted: undefined };
    }
    await removeIfEmpty(share, staged);
    return undefined;
  } catch (reason) {
    throw await settled(reason, undo);
  }
}

async function build(context: ShareContext, request: VolumeRequest, nonce: Nonce): Promise<FileStat> {
  const { share } = context;
  const { mode, ...ids } = request.directory;
  const staged = stagedTreePath(request.id.name, nonce);
  const made = await makeStaged(context, staged, mode);
  if (ids.uid !== undefined || ids.gid !== undefined) await share.setAttributes(staged, request.directory);
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

async function makeRecordDirectory({ share }: ShareContext, name: VolumeName): Promise<void> {
  try {
    await share.makeDirectory(recordPath(name), 0o700);
  } catch (reason) {
    if (!hasCode(reason, "storage-exists")) throw reason; // another attempt made it: the claim decides
  }
}

function identityFor(
  context: ShareContext,
  request: VolumeRequest,
  nonce: Nonce,
  directory: FileStat,
): Identity {
  const { id, requestedName, accessModes, mountFlags, parameters, trashRetentionMs, claim } = request;
  const { mode, uid, gid } = request.directory;
  return newIdentity({
    ...context.owner,
    id: printVolumeId(id),
    requestedName,
    nonce,
    directory: {
      path: directoryPath(id.name),
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
    createdAt: new Date(context.clock.nowMs()).toISOString(),
  });
}

function sizeFor({ requiredBytes, limitBytes }: CapacityRange): bigint {
  assert(limitBytes === 0n || requiredBytes <= limitBytes, "a capacity range is checked at the edge");
  if (requiredBytes > 0n) return requiredBytes;
  return limitBytes > 0n && limitBytes < defaultSizeBytes ? limitBytes : defaultSizeBytes;
}

/** Step 3, if the share may promise as much. It may have been done before; and somebody else may have put something at the path. */
async function moveIntoPlace(context: ShareContext, name: VolumeName, record: VolumeRecord): Promise<void> {
  const { share } = context;
  await admit(context, name, record);
  const staged = stagedTreePath(name, nonceOf(record.identity));
  try {
    await refuseWhatIsThere(context, name); // the rename would replace an empty directory
    await share.rename(staged, directoryPath(name));
  } catch (reason) {
    if (await isInPlace(share, record, name)) return; // another call did it, or our answer was lost
    if (!hasCode(reason, "already-exists", "storage-not-empty", "storage-exists", "storage-no-entry"))
      throw reason;
    if (!(await isThere(share, staged))) throw misplaced(share, name, reason);
    if (hasCode(reason, "storage-no-entry")) throw reason;
    await retire(share, name, record); // the volume never was in place, so nothing is lost with its claim
    throw reason;
  }
}

/** Moved away or restored from a backup, perhaps: an empty volume in its place would hide what is lost. */
function misplaced(share: Share, name: VolumeName, cause: unknown): BerthError {
  return new BerthError(
    "unavailable",
    `${share.name}: volume ${name} is recorded, but its own directory is not at ${directoryPath(name)}: ` +
      "put it back, or delete the volume",
    { cause },
  );
}

/** Storage errors that say that the step had no effect, and what they mean once all before it is undone. */
const definite: Partial<Record<StorageCode, DomainCode>> = {
  "storage-access": "permission-denied",
  "storage-name-too-long": "invalid-argument",
  "storage-no-space": "resource-exhausted",
  "storage-not-a-directory": "failed-precondition",
  "storage-quota": "resource-exhausted",
  "storage-read-only": "failed-precondition",
  "storage-unsupported": "failed-precondition",
};

/** After a definite failure nothing must be left, so that the caller may forget the volume; else it must not. */
async function settled(reason: unknown, undo: () => Promise<void>): Promise<unknown> {
  if (!(reason instanceof BerthError)) return reason;
  const code = Object.entries(definite).find(([storage]) => storage === reason.code)?.[1];
  if (code === undefined) return reason;
  try {
    await undo();
  } catch {
    return reason; // non-final: a retry, or the reaper, removes the rest
  }
  return new BerthError(code, reason.message, { cause: reason });
}
