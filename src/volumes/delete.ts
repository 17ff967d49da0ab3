import type { Call } from "../core/call.ts";
import { BerthError, hasCode } from "../core/errors.ts";
import { sideBySide } from "../core/side-by-side.ts";
import { parseVolumeId, printVolumeId, type VolumeId, type VolumeName } from "../core/volume-id.ts";
import type { Share } from "../share/share.ts";
import { join } from "../share/share-path.ts";
import { checkRecord, fileidAt, isThere, readRecord, removeIfEmpty } from "./catalog.ts";
import { forget } from "./claim.ts";
import type { ShareContext } from "./context.ts";
import {
  deletedFile,
  directoryPath,
  recordPath,
  stagedFilePath,
  stagedTreePath,
  trashEntryPath,
  volumesPath,
} from "./layout.ts";
import { claimAt, recoverClaim } from "./path-claim.ts";
import { encodeRecord, newDeleted, nonceOf, type VolumeRecord } from "./record.ts";
import { fateOf, makeHolder, retire, unclaimed } from "./retire.ts";

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
  const record = await readRecord(share, id.name);
  if (record === undefined) {
    await refuseUnrecorded(context, id.name);
    await removeIfEmpty(share, recordPath(id.name)); // of a creation that never came to its claim
    return;
  }
  checkRecord(record, id, owner, share.name);
  if (record.deleted === undefined) await refuseStranger(context, id.name, record);
  call.effects.begin();
  const deleted = record.deleted ?? (await decide(context, id.name, record));
  const decided = { ...record, deleted };
  await retire(context, id.name, decided, fateOf(decided));
  if (context.unmanaged === true && fateOf(decided) === "delete") {
    call.log.warn(
      `volume ${printVolumeId(id)} is deleted, and its files stay in the trash of ${share.name}: nobody empties that ` +
        "as long as the configuration does not name the export; add it under exports",
      { share: share.name },
    );
  }
}

/** A directory without a record may be anybody's. */
async function refuseUnrecorded({ share }: ShareContext, name: VolumeName): Promise<void> {
  const path = directoryPath(name);
  if (!(await isThere(share, path))) return await refuseOtherShare(share);
  const claim = await claimAt(share, path);
  const isAnothers = claim !== undefined && parseVolumeId(claim.id)?.name !== name; // whose subDir is this name
  // Or it was created since we looked. A claim of its own without a record is what somebody's hand has left.
  if (isAnothers || (await readRecord(share, name)) !== undefined) return;
  throw new BerthError(
    "failed-precondition",
    `${share.name}: directory ${path} has no record in ${recordPath(name)}, so Berth does not delete it: ` +
      "restore the record, or move the directory away by hand",
  );
}

/** Whoever made the volume left records: where there are none, another disk is mounted here, or none at all. */
async function refuseOtherShare(share: Share): Promise<void> {
  if (await isThere(share, volumesPath)) return;
  throw new BerthError(
    "failed-precondition",
    `${share.name} has no ${volumesPath}, so no volume was ever made here, or this is not the share as it was: ` +
      "look whether its disk is mounted; if it was emptied for good, make that directory",
  );
}

/**
 * Looks whether what is at the volume's path is the volume's. It may also never have come there, or be gone.
 * @throws BerthError `failed-precondition` for a directory that is not the one that Berth made (restored from a
 * backup, say), and for a record that names a directory which is not its own
 */
async function refuseStranger(
  { share }: ShareContext,
  name: VolumeName,
  { identity }: VolumeRecord,
): Promise<void> {
  const { path, fileid } = identity.directory;
  const [claim, found] = await Promise.all([claimAt(share, path), fileidAt(share, path)]);
  const refuse = (cause: string, remedy: string): BerthError =>
    new BerthError("failed-precondition", `${share.name}: ${path} ${cause}, so it is not deleted: ${remedy}`);
  const stranger = (other: string): BerthError =>
    refuse(
      `(fileid ${other}) is not the directory that Berth made for this volume (fileid ${fileid})`,
      "move it away by hand",
    );
  if (claim?.nonce === identity.nonce && claim.id === identity.id) {
    if (found === undefined || found === fileid) return;
    throw stranger(found);
  }
  if (identity.adopted === true || (await isThere(share, stagedTreePath(name, nonceOf(identity))))) return;
  if (claim !== undefined) {
    throw refuse(
      `is the directory of volume ${claim.id}, whatever the record of ${name} says`,
      "somebody changed that record; restore it from a backup",
    );
  }
  if (found === undefined) return;
  if (found !== fileid) throw stranger(found);
  if (!(await recoverClaim(share, { identity }))) throw unclaimed(share, name, identity);
}

/**
 * Writes down that the volume is to go. Of several who decide this at once the last one's file stays, and that is
 * no contest that anyone loses: all say the same, and whoever has decided goes on by what it wrote itself. So the file
 * is renamed to its name, whole and durable, where a claim would be linked.
 */
async function decide(
  { share, clock, newNonce }: ShareContext,
  name: VolumeName,
  { identity }: VolumeRecord,
): Promise<NonNullable<VolumeRecord["deleted"]>> {
  const nonce = newNonce();
  const nowMs = clock.nowMs();
  const deleted = newDeleted({
    nonce,
    deletedAt: new Date(nowMs).toISOString(),
    purgeAfter: new Date(nowMs + identity.trashRetentionMs).toISOString(),
  });
  const temporary = stagedFilePath(nonce);
  const write = async (): Promise<void> => {
    await share.createFile(temporary, encodeRecord(deleted));
    await share.rename(temporary, join(recordPath(name), deletedFile(nonceOf(identity))));
  };
  try {
    // The entry in the trash is needed next.
    await sideBySide([write(), makeHolder(share, trashEntryPath(nonceOf(identity)))]);
  } catch (reason) {
    await forget(share, temporary);
    // The record is gone, since another call has finished the deletion; or our own answer was lost.
    if (!hasCode(reason, "storage-no-entry")) throw reason;
  }
  return deleted;
}
