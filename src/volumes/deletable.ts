import { BerthError } from "../core/errors.ts";
import { inParallel } from "../core/in-parallel.ts";
import { parseVolumeId, printVolumeId, type VolumeId, type VolumeName } from "../core/volume-id.ts";
import type { Share } from "../share/share.ts";
import { join } from "../share/share-path.ts";
import { entriesOf, fileidAt, identityAt, ignoreUnreadable, isThere, readRecord } from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import { directoryPath, keptPath, recordPath, stagedTreePath, volumesPath } from "./layout.ts";
import { recoverClaim } from "./lost-claims.ts";
import { claimAt } from "./path-claim.ts";
import { type Identity, isOwnedBy, nonceOf } from "./record.ts";
import { unclaimed } from "./retire.ts";

const readsInFlightMax = 16;

/** A directory without a record may be anybody's. */
export async function refuseUnrecorded(context: ShareContext, id: VolumeId): Promise<void> {
  const { share } = context;
  const { name } = id;
  const path = directoryPath(name);
  if (!(await isThere(share, path))) return await refuseOtherShare(share);
  const claim = await claimAt(share, path);
  const isAnothers = claim !== undefined && parseVolumeId(claim.id)?.name !== name; // whose subDir is this name
  // Or it was created since we looked. A claim of its own without a record is what somebody's hand has left.
  if (isAnothers || (await readRecord(share, name)) !== undefined || (await wasRetained(context, id))) return;
  throw new BerthError(
    "failed-precondition",
    `${share.name}: directory ${path} has no record in ${recordPath(name)}, so Berth does not delete it: ` +
      "restore the record, or move the directory away by hand",
  );
}

/** Whether its deletion is done and has left the directory (`onDelete: retain`): only its answer was lost. */
async function wasRetained({ share, owner }: ShareContext, id: VolumeId): Promise<boolean> {
  const path = directoryPath(id.name);
  const fileid = await fileidAt(share, path);
  const kept = await inParallel(await entriesOf(share, keptPath), readsInFlightMax, ({ name }) =>
    identityAt(share, join(keptPath, name)).catch(ignoreUnreadable),
  );
  return kept.some((identity) => {
    if (identity?.id !== printVolumeId(id) || !isOwnedBy(identity, owner)) return false;
    return identity.directory.path === path && identity.directory.fileid === fileid;
  });
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

/** What is at a volume's path. */
export interface Looks {
  /** Whose the path is. */
  readonly claim: Identity | undefined;
  /** The fileid of what is there. */
  readonly found: string | undefined;
}

export async function lookAtTree(share: Share, { directory: { path } }: Identity): Promise<Looks> {
  const [claim, found] = await Promise.all([claimAt(share, path), fileidAt(share, path)]);
  return { claim, found };
}

function isClaimed({ nonce, id }: Identity, { claim }: Looks): boolean {
  return claim?.nonce === nonce && claim.id === id;
}

export function isInPlace(identity: Identity, looks: Looks): boolean {
  return isClaimed(identity, looks) && looks.found === identity.directory.fileid;
}

/**
 * Looks whether what is at the volume's path is the volume's. It may also never have come there, or be gone.
 * @throws BerthError `failed-precondition` for a directory that is not the one that Berth made (restored from a
 * backup, say), and for a record that names a directory which is not its own
 */
export async function refuseStranger(
  { share }: ShareContext,
  name: VolumeName,
  identity: Identity,
  { claim, found }: Looks,
): Promise<void> {
  const { path, fileid } = identity.directory;
  const refuse = (cause: string, remedy: string): BerthError =>
    new BerthError("failed-precondition", `${share.name}: ${path} ${cause}, so it is not deleted: ${remedy}`);
  const stranger = (other: string): BerthError =>
    refuse(
      `(fileid ${other}) is not the directory that Berth made for this volume (fileid ${fileid})`,
      "move it away by hand",
    );
  if (isClaimed(identity, { claim, found })) {
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
  if (await recoverClaim(share, identity)) return;
  if ((await identityAt(share, recordPath(name)))?.nonce !== identity.nonce) return; // deleted, or retained, meanwhile
  throw unclaimed(share, name, identity);
}
