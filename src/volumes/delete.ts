import type { Call } from "../core/call.ts";
import { hasCode } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { printVolumeId, type VolumeId, type VolumeName } from "../core/volume-id.ts";
import type { Share } from "../share/share.ts";
import { join } from "../share/share-path.ts";
import {
  checkRecord,
  deletedAt,
  ensureDirectory,
  ensureLayout,
  identityAt,
  removeIfEmpty,
} from "./catalog.ts";
import { forget } from "./claim.ts";
import type { ShareContext } from "./context.ts";
import { isInPlace, lookAtTree, refuseStranger, refuseUnrecorded } from "./deletable.ts";
import { claimPathOf, deletedFile, recordPath, stagedFilePath, trashEntryPath } from "./layout.ts";
import { claimAt } from "./path-claim.ts";
import { type Deleted, decodeIdentity, encodeRecord, type Identity, newDeleted, nonceOf } from "./record.ts";
import { fateOf, retire } from "./retire.ts";

/**
 * Deletes a volume in a time that does not depend on its size. Its steps:
 *
 * 1. put `deleted.<nonce>.json` into the record: from now on the deletion is decided, and anyone may finish it;
 * 2. rename the directory into the trash (or beside, or leave it: `onDelete`);
 * 3. let its path go, and the parents that Berth made and nobody else uses;
 * 4. rename the record after it.
 *
 * What is neither there nor recorded is deleted: that is success.
 */
export async function deleteVolume(context: ShareContext, call: Call, id: VolumeId): Promise<void> {
  const { share, owner } = context;
  const identity = await identityAt(share, recordPath(id.name));
  if (identity === undefined) {
    await refuseUnrecorded(context, id);
    await removeIfEmpty(share, recordPath(id.name)); // of a creation that never came to its claim
    return;
  }
  checkRecord({ identity }, id, owner, share.name);
  // What most likely is not there comes last: a request that holds them all ends with it.
  const [looks, deleted] = await Promise.all([
    lookAtTree(share, identity),
    deletedAt(share, recordPath(id.name), nonceOf(identity)),
  ]);
  const isDecided = deleted !== undefined;
  if (!isDecided) await refuseStranger(context, id.name, identity, looks);
  call.effects.begin();
  const record = { identity, deleted };
  if (isDecided) await retire(context, id.name, record, fateOf(record));
  else await decideAndRetire(context, id.name, identity, isInPlace(identity, looks));
  if (context.unmanaged === true && (identity.onDelete ?? "delete") === "delete") {
    call.log.warn(
      `volume ${printVolumeId(id)} is deleted, and its files stay in the trash of ${share.name}: nobody empties that ` +
        "as long as the configuration does not name the export; add it under exports",
      { share: share.name },
    );
  }
}

/** Steps 1 to 4. @param wasInPlace the tree was at its path a moment ago, and claimed */
async function decideAndRetire(
  context: ShareContext,
  name: VolumeName,
  identity: Identity,
  wasInPlace: boolean,
): Promise<void> {
  const { share, clock, newNonce } = context;
  const nonce = newNonce();
  const nowMs = clock.nowMs();
  const own = newDeleted({
    nonce,
    deletedAt: new Date(nowMs).toISOString(),
    purgeAfter: new Date(nowMs + identity.trashRetentionMs).toISOString(),
  });
  const decision = await decide(share, name, identity, own);
  const record = { identity, deleted: decision.deleted };
  await retire(context, name, record, fateOf(record), wasInPlace && decision.isStillClaimed);
}

interface Decision {
  readonly deleted: Deleted;
  /** The path was the volume's when its entry in the trash was there. */
  readonly isStillClaimed: boolean;
}

/**
 * Writes down that the volume is to go: a claim that one of several who do it at once makes. Its entry in the trash, which
 * is needed next, is made in the same go.
 * @returns what is written there; what was to be written where another call has finished the deletion
 */
async function decide(share: Share, name: VolumeName, identity: Identity, own: Deleted): Promise<Decision> {
  const nonce = nonceOf(identity);
  const [record, entry] = [recordPath(name), trashEntryPath(nonce)];
  const { path } = identity.directory;
  const temporary = stagedFilePath(nonceOf(own));
  const { results, done, failure } = await share.inOrder([
    { kind: "createFile", path: temporary, content: encodeRecord(own) },
    { kind: "link", existing: temporary, created: join(record, deletedFile(nonce)) },
    { kind: "removeFile", path: temporary },
    { kind: "makeDirectory", path: entry, mode: 0o700 },
    { kind: "readFile", path: claimPathOf(path), bytesMax: limits.recordBytesMax },
  ]);
  const [isWritten, isTaken] = [done >= 2, done === 1 && hasCode(failure, "storage-exists")];
  try {
    if (done < 3) await forget(share, temporary);
    // Of another call, or of this one, whose answer was lost.
    const deleted = isWritten ? own : await deletedAt(share, record, nonce);
    if (deleted === undefined && !isTaken) throw failure;
    if (done < 4) await ensureDirectory(share, entry);
    const claim = results[4] ? decodeIdentity(results[4], claimPathOf(path)) : await claimAt(share, path);
    return { deleted: deleted ?? own, isStillClaimed: deleted !== undefined && claim?.nonce === nonce };
  } catch (reason) {
    if (!hasCode(reason, "storage-no-entry", "storage-exists")) throw reason;
    if ((await identityAt(share, record))?.nonce !== nonce) return { deleted: own, isStillClaimed: false };
    await ensureLayout(share); // somebody has removed a part of it: the next attempt finds it
    throw reason;
  }
}
