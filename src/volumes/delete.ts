import type { Call } from "../core/call.ts";
import { BerthError, hasCode } from "../core/errors.ts";
import type { VolumeId, VolumeName } from "../core/volume-id.ts";
import { join } from "../share/share-path.ts";
import { checkRecord, isThere, readRecord, removeIfEmpty } from "./catalog.ts";
import { claimFile } from "./claim.ts";
import type { ShareContext } from "./context.ts";
import { deletedFile, directoryPath, recordPath } from "./layout.ts";
import { encodeRecord, newDeleted, nonceOf, type VolumeRecord } from "./record.ts";
import { retire } from "./retire.ts";

/**
 * Deletes a volume in a time that does not depend on its size. Its steps:
 *
 * 1. link `deleted.<nonce>.json` into the record: from now on the deletion is decided, and anyone may finish it;
 * 2. rename the directory into the trash;
 * 3. rename the record after it.
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
  if (record.deleted === undefined) await decide(context, id.name, record);
  await retire(share, id.name, record);
}

/** A directory without a record may be anybody's. */
async function refuseUnrecorded({ share }: ShareContext, name: VolumeName): Promise<void> {
  const path = directoryPath(name);
  if (!(await isThere(share, path))) return;
  throw new BerthError(
    "failed-precondition",
    `${share.name}: directory ${path} has no record in ${recordPath(name)}, so Berth does not delete it: ` +
      "restore the record, or move the directory away by hand",
  );
}

/** A directory of the volume's name that is not the one that Berth made: restored from a backup, say. */
async function refuseStranger(
  { share }: ShareContext,
  name: VolumeName,
  { identity }: VolumeRecord,
): Promise<void> {
  const path = directoryPath(name);
  try {
    const { fileid } = await share.stat(path);
    if (fileid === BigInt(identity.directory.fileid)) return;
    throw new BerthError(
      "failed-precondition",
      `${share.name}: ${path} (fileid ${fileid}) is not the directory that Berth made for this volume ` +
        `(fileid ${identity.directory.fileid}), so it is not deleted: move it away by hand`,
    );
  } catch (reason) {
    if (!hasCode(reason, "storage-no-entry")) throw reason;
  }
}

async function decide(context: ShareContext, name: VolumeName, { identity }: VolumeRecord): Promise<void> {
  const nonce = context.newNonce();
  const nowMs = context.clock.nowMs();
  const deleted = newDeleted({
    nonce,
    deletedAt: new Date(nowMs).toISOString(),
    purgeAfter: new Date(nowMs + identity.trashRetentionMs).toISOString(),
  });
  try {
    await claimFile(
      context.share,
      join(recordPath(name), deletedFile(nonceOf(identity))),
      encodeRecord(deleted),
      nonce,
    );
  } catch (reason) {
    // The record is gone: another call has finished the deletion in the meantime.
    if (!hasCode(reason, "storage-no-entry")) throw reason;
  }
}
