import type { Share } from "../share/share.ts";
import { join, type SharePath } from "../share/share-path.ts";
import { entriesOf, ignoreUnreadable } from "./catalog.ts";
import { stagingPath } from "./layout.ts";
import { claimAt, claimIn, holderOf, linkBack } from "./path-claim.ts";
import type { Identity } from "./record.ts";

interface LostClaim {
  readonly at: SharePath;
  readonly identity: Identity;
}

/** Puts back what a release that was cut off had taken by mistake: claims of volumes that are there. */
export async function reclaimFrom(share: Share, aside: SharePath): Promise<void> {
  for (const { at, identity } of await claimsFrom(share, aside)) {
    if (await isLost(share, identity).catch(ignoreUnreadable)) {
      await linkBack(share, at, identity.directory.path);
    }
  }
}

async function isLost(share: Share, identity: Identity): Promise<boolean> {
  const isHeld = (await holderOf(share, identity)) !== undefined;
  return isHeld && (await claimAt(share, identity.directory.path)) === undefined;
}

/**
 * Puts back a claim that a release of an earlier volume had taken by mistake, and was cut off. Only that, or the
 * name under which the record was made, tells it from a record that somebody has pointed to another directory.
 */
export async function recoverClaim(share: Share, { nonce, directory: { path } }: Identity): Promise<boolean> {
  for (const { name } of await entriesOf(share, stagingPath)) {
    if (!name.endsWith(".json")) continue;
    for (const { at, identity } of await claimsFrom(share, join(stagingPath, name))) {
      if (identity.nonce !== nonce || identity.directory.path !== path) continue;
      await linkBack(share, at, path);
      return (await claimAt(share, path))?.nonce === nonce;
    }
  }
  return false;
}

/** The claim that was moved to a path, or those in the folder that was. */
async function claimsFrom(share: Share, path: SharePath): Promise<LostClaim[]> {
  const identity = await claimIn(share, path).catch(ignoreUnreadable);
  if (identity !== undefined) return [{ at: path, identity }];
  const claims: LostClaim[] = [];
  for (const { name } of await entriesOf(share, path))
    claims.push(...(await claimsFrom(share, join(path, name))));
  return claims;
}
