import { assert } from "../core/assert.ts";
import { BerthError, hasCode } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { Nonce } from "../core/nonce.ts";
import { sideBySide } from "../core/side-by-side.ts";
import { printVolumeId, type VolumeName } from "../core/volume-id.ts";
import type { FileStat } from "../share/share.ts";
import { join, type SharePath } from "../share/share-path.ts";
import { absent, ensureLayout, removeIfEmpty } from "./catalog.ts";
import { forget, makeClaim, outcomeOfClaim } from "./claim.ts";
import type { ShareContext } from "./context.ts";
import { type Made, pathOf } from "./create-begin.ts";
import { claimPathOf, identityFile, recordPath, stagedFilePath, stagedTreePath } from "./layout.ts";
import { ledgerPath } from "./ledger/ledger-files.ts";
import { ruleOf } from "./overcommit.ts";
import { giveAttributes } from "./owner-change.ts";
import type { Claims } from "./place.ts";
import { encodeRecord, type Identity, newIdentity, nonceOf, type VolumeRecord } from "./record.ts";
import { settled } from "./settled.ts";
import type { CapacityRange, VolumeRequest } from "./volume.ts";

/** A volume of no particular size is recorded as this. */
const defaultSizeBytes = 1n << 30n;

/**
 * Steps 1 and 2, as far as they are not done.
 * @param adopted what is at the path already
 * @returns undefined when somebody else has the claim: what was built is removed, the next look finds theirs
 */
export async function buildAndClaim(
  context: ShareContext,
  request: VolumeRequest,
  nonce: Nonce,
  { isMade, built }: Made,
  adopted: FileStat | undefined,
): Promise<{ readonly record: VolumeRecord; readonly claims: Claims } | undefined> {
  const { share } = context;
  const { name } = request.id;
  const staged = stagedTreePath(name, nonce);
  const temporary = stagedFilePath(nonce);
  const undo = async (): Promise<void> => {
    await sideBySide([removeIfEmpty(share, staged), forget(share, temporary)]);
    await removeIfEmpty(share, recordPath(name));
  };
  try {
    const [directory] = await sideBySide<[FileStat, unknown]>([
      adopted === undefined ? build(context, request, staged, built) : Promise.resolve(adopted),
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
    const claims = await claim(context, name, identity, content);
    if (claims !== undefined) {
      const sizeBytes = BigInt(identity.sizeBytes);
      return { record: { identity, generation: 0, sizeBytes, deleted: undefined }, claims };
    }
    await sideBySide([removeIfEmpty(share, staged), forget(share, temporary)]);
    return undefined;
  } catch (reason) {
    throw await settled(reason, undo);
  }
}

/**
 * Claims the name, and where nothing has to be asked in between, the path: who adopts a directory claims that by itself, and
 * where promises have a limit a claim on the path says that the volume was admitted.
 * @returns undefined when somebody else has the name
 */
async function claim(
  { share, overcommit }: ShareContext,
  name: VolumeName,
  identity: Identity,
  content: Uint8Array,
): Promise<Claims | undefined> {
  const temporary = stagedFilePath(nonceOf(identity));
  const record = join(recordPath(name), identityFile);
  if (identity.adopted === true || ruleOf(identity.parameters, overcommit).kind !== "unlimited") {
    const outcome = await makeClaim(share, temporary, record, content);
    if (outcome === "taken") return undefined;
    return { temporary, isPathClaimed: false, isFree: true, hasLedger: undefined };
  }
  const { done, failure } = await share.inOrder([
    { kind: "createFile", path: temporary, content },
    { kind: "link", existing: temporary, created: record },
    { kind: "link", existing: temporary, created: claimPathOf(identity.directory.path) },
    { kind: "removeFile", path: temporary },
    { kind: "stat", path: ledgerPath },
  ]);
  if (done < 2 && (await outcomeOfClaim(share, record, content, failure)) === "taken") return undefined;
  const hasNone = done === 4 && hasCode(failure, ...absent);
  return {
    temporary: done < 4 ? temporary : undefined,
    isPathClaimed: done > 2,
    isFree: done > 2,
    hasLedger: done > 4 ? true : hasNone ? false : undefined,
  };
}

async function build(
  context: ShareContext,
  request: VolumeRequest,
  staged: SharePath,
  built: FileStat | undefined,
): Promise<FileStat> {
  const made = built ?? (await makeStaged(context, staged, request.directory.mode));
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
