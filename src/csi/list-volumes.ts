import type { Call } from "../core/call.ts";
import { BerthError, isStorageCode } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { ListVolumesRequest } from "../gen/csi/v1/csi_pb.ts";
import type { ShareVolumes } from "../volumes/share-volumes.ts";
import type { Volume } from "../volumes/volume.ts";
import { type ListPosition, parseListToken, printListToken } from "./list-token.ts";

/**
 * A page of the volumes of all shares, share by share. Volumes that are still being created are left
 * out: CreateVolume has not told of them yet.
 * @throws BerthError `aborted` for a bad token; `unavailable` where a share cannot be listed: a list that left its
 * volumes out would say that they are gone
 */
export async function listPage(
  shares: readonly ShareVolumes[],
  { maxEntries, startingToken }: ListVolumesRequest,
  call: Call,
): Promise<{ volumes: Volume[]; nextToken: string }> {
  const entriesMax = Math.min(maxEntries || limits.listPageEntriesMax, limits.listPageEntriesMax);
  const volumes: Volume[] = [];
  let position: ListPosition | undefined = parseListToken(shares, startingToken);
  while (position !== undefined && volumes.length < entriesMax) {
    const { shareIndex, after }: ListPosition = position;
    const share = shares[shareIndex];
    const page =
      share && (await share.list(call, after, entriesMax - volumes.length).catch(cannotList(share)));
    volumes.push(...(page?.volumes ?? []).filter(({ state }) => state !== "creating"));
    position = nextPosition(shares, shareIndex, page?.nextAfter);
  }
  return { volumes, nextToken: position === undefined ? "" : printListToken(shares, position) };
}

function cannotList({ share }: ShareVolumes): (reason: unknown) => never {
  return (reason) => {
    if (!(reason instanceof BerthError) || !isStorageCode(reason.code)) throw reason;
    throw new BerthError(
      "unavailable",
      `the volumes of ${share.name} cannot be listed, and a list without them would say that they are gone: ${reason.message}`,
      { cause: reason },
    );
  };
}

function nextPosition(
  shares: readonly ShareVolumes[],
  shareIndex: number,
  nextAfter: string | undefined,
): ListPosition | undefined {
  if (nextAfter !== undefined) return { shareIndex, after: nextAfter };
  return shareIndex + 1 < shares.length ? { shareIndex: shareIndex + 1 } : undefined;
}
