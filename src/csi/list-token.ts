import { createHash } from "node:crypto";
import { BerthError } from "../core/errors.ts";
import { parseVolumeName } from "../core/volume-id.ts";
import type { ShareVolumes } from "../volumes/share-volumes.ts";

/** Where a list goes on: at a share, after a volume's name, or at its beginning. */
export interface ListPosition {
  readonly shareIndex: number;
  readonly after?: string;
}

/**
 * The token of a position: `<digest of the share's name>.<the last volume's name>`, well below CSI's
 * 128 bytes. It holds as long as the share is configured, whatever its place among the others.
 */
export function printListToken(
  shares: readonly ShareVolumes[],
  { shareIndex, after = "" }: ListPosition,
): string {
  const volumes = shares[shareIndex];
  return volumes === undefined ? "" : `${digestOf(volumes)}.${after}`;
}

/** @throws BerthError `aborted` for a token that is not ours: the caller begins again (CSI spec, ListVolumes) */
export function parseListToken(shares: readonly ShareVolumes[], token: string): ListPosition {
  if (token === "") return { shareIndex: 0 };
  const [digest, after] = splitOnce(token);
  const shareIndex = shares.findIndex((volumes) => digestOf(volumes) === digest);
  if (shareIndex < 0 || after === undefined) throw badToken();
  if (after === "") return { shareIndex };
  try {
    return { shareIndex, after: parseVolumeName(after) };
  } catch {
    throw badToken();
  }
}

function badToken(): BerthError {
  return new BerthError(
    "aborted",
    "starting_token is not one that this driver gave, or its share is no longer configured: list from the beginning",
  );
}

function splitOnce(token: string): [string, string | undefined] {
  const dot = token.indexOf(".");
  return dot < 0 ? [token, undefined] : [token.slice(0, dot), token.slice(dot + 1)];
}

function digestOf({ share }: ShareVolumes): string {
  return createHash("sha256").update(share.name).digest("hex").slice(0, 16);
}
