import { inParallel } from "../core/in-parallel.ts";
import { parseVolumeId, type VolumeName } from "../core/volume-id.ts";
import { join, type SharePath, shareRoot } from "../share/share-path.ts";
import { entriesOf, fileidAt, identityAt, ignoreUnreadable } from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import { berthName, claimPathOf, recordPath } from "./layout.ts";
import { claimAt } from "./path-claim.ts";
import { type Identity, isOwnedBy } from "./record.ts";

/** A volume whose record somebody has removed by hand. */
export interface LostRecord {
  readonly identity: Identity;
  readonly name: VolumeName;
  /** Of its directory: where its claim is. */
  readonly path: SharePath;
}

const readsInFlightMax = 8;

/**
 * The volumes of which only the directory and the claim on it are left. With a `subDir` nothing else would ever speak of
 * them: DeleteVolume knows the record's name alone, finds nothing, and the directory stays for good.
 */
export async function findLostRecords(context: ShareContext, signal: AbortSignal): Promise<LostRecord[]> {
  const claimed: SharePath[] = [];
  for await (const path of claimedPaths(context, shareRoot, signal)) claimed.push(path);
  const found = await inParallel(claimed, readsInFlightMax, async (path) => {
    signal.throwIfAborted();
    return await lostAt(context, path).catch(ignoreUnreadable); // whoever works on such a volume is told
  });
  return found.filter((each) => each !== undefined);
}

async function lostAt({ share, owner }: ShareContext, path: SharePath): Promise<LostRecord | undefined> {
  const identity = await claimAt(share, path);
  const name = identity === undefined ? undefined : parseVolumeId(identity.id)?.name;
  if (identity === undefined || name === undefined || !isOwnedBy(identity, owner)) return undefined;
  if ((await identityAt(share, recordPath(name)))?.nonce === identity.nonce) return undefined;
  // A deletion lets the claim go before the record: so who still has a claim has not been deleted meanwhile.
  if ((await claimAt(share, path))?.nonce !== identity.nonce) return undefined;
  if ((await fileidAt(share, path)) !== identity.directory.fileid) return undefined;
  return { identity, name, path };
}

/** What a person has to know, and can do. */
export function lostRecordText({ share }: ShareContext, { identity, name, path }: LostRecord): string {
  const { claim } = identity;
  const whose = claim === undefined ? "" : ` (claim ${claim.namespace}/${claim.name})`;
  return (
    `${share.name}: the directory ${path} of volume ${identity.id}${whose} is there, and its record ${recordPath(name)} is ` +
    `gone, so deleting the volume would leave it: make ${recordPath(name)} again, with ${claimPathOf(path)} linked into it as ` +
    "identity.json, or move the directory away and remove that claim"
  );
}

/** The claims are a tree of the shape of the directories. */
async function* claimedPaths(
  context: ShareContext,
  directory: SharePath,
  signal: AbortSignal,
): AsyncGenerator<SharePath> {
  signal.throwIfAborted();
  for (const { name, type } of await entriesOf(context.share, claimPathOf(directory))) {
    if (name === berthName) continue; // the mark of a parent
    if (type === "file") yield join(directory, name);
    if (type === "directory") yield* claimedPaths(context, join(directory, name), signal);
  }
}
