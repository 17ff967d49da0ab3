import { BerthError, hasCode } from "../core/errors.ts";
import type { Attributes, FileStat, Share } from "../share/share.ts";
import type { SharePath } from "../share/share-path.ts";

/**
 * Gives a directory its mode and owner, as far as it has not got them. Many exports let nobody change an owner:
 * that is said when the volume is created, not when its first pod fails to write.
 * @throws BerthError `storage-access`
 */
export async function giveAttributes(
  share: Share,
  path: SharePath,
  has: FileStat,
  { mode, uid = has.uid, gid = has.gid }: Attributes,
): Promise<void> {
  const changesOwner = uid !== has.uid || gid !== has.gid;
  if (!changesOwner && (mode === undefined || mode === has.mode)) return;
  const wanted = { ...(mode === undefined ? {} : { mode }), ...(changesOwner ? { uid, gid } : {}) };
  try {
    await share.setAttributes(path, wanted);
  } catch (reason) {
    throw changesOwner && hasCode(reason, "storage-access")
      ? refused(share, { uid, gid }, has, reason)
      : reason;
  }
  if (!changesOwner) return;
  const now = await share.stat(path); // some servers say yes, and map every owner to one
  if (now.uid !== uid || now.gid !== gid) throw refused(share, { uid, gid }, now);
}

function refused(
  share: Share,
  wanted: { readonly uid: number; readonly gid: number },
  has: FileStat,
  cause?: unknown,
): BerthError {
  return new BerthError(
    "storage-access",
    `${share.name}: the server does not let Berth give the directory to uid ${wanted.uid} and gid ${wanted.gid} ` +
      `(it has uid ${has.uid} and gid ${has.gid}): most exports map root to nobody (root_squash); ` +
      `export it "no_root_squash" to the controller, or let Berth act as that user (uid and gid of the export in ` +
      "the configuration) and leave uid and gid out of the StorageClass",
    { cause },
  );
}
