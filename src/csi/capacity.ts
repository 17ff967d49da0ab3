import type { Call } from "../core/call.ts";
import { BerthError, isStorageCode } from "../core/errors.ts";
import type { GetCapacityRequest } from "../gen/csi/v1/csi_pb.ts";
import type { ShareVolumes } from "../volumes/share-volumes.ts";
import { notOffered } from "./capabilities.ts";
import { classParameters, type Parameters } from "./parameters.ts";
import type { Placements } from "./placements.ts";

export interface Capacity {
  readonly availableBytes: bigint;
  /** What the largest volume could hold; absent where nothing can be created. */
  readonly volumeBytesMax?: bigint;
}

/** A volume's name and a claim for `place`, which wants them; nothing is created. */
const anyName = "capacity";
const anyClaim = { name: anyName, namespace: anyName };

/**
 * The room for volumes of a class, or of all classes where none is given (csi-provisioner sends the
 * class's parameters unstripped). A capability that is not offered finds no room.
 * @throws BerthError `invalid-argument` for a class that is wrong
 */
export async function capacityFor(
  placements: Placements,
  request: GetCapacityRequest,
  call: Call,
): Promise<Capacity> {
  if (request.volumeCapabilities.some((capability) => notOffered(capability) !== undefined)) {
    return { availableBytes: 0n };
  }
  const parameters = classParameters(request.parameters);
  if (Object.keys(parameters).length === 0) return await capacityOfAll(placements, call);
  const { volumes } = placements.of(parameters).place(parameters, anyName, anyClaim);
  return total([await availableBytes(volumes, parameters, call)]);
}

/** Nothing can be created on a share that does not answer, so it has no room now. */
async function capacityOfAll({ shares }: Placements, call: Call): Promise<Capacity> {
  const found = await Promise.all(
    shares.map((volumes) => availableBytes(volumes, {}, call).catch((reason: unknown) => reason)),
  );
  const rooms = found.filter((each) => typeof each === "bigint");
  for (const [index, reason] of found.entries()) {
    if (typeof reason === "bigint") continue;
    if (!(reason instanceof BerthError) || !isStorageCode(reason.code) || rooms.length === 0) throw reason;
    const share = shares[index]?.share.name;
    call.log.warn(`GetCapacity counts no room on ${share}: ${reason.message}`, { share });
  }
  return total(rooms);
}

/** What may still be promised where there is a limit, by the formula of creation; else what is free. */
async function availableBytes(volumes: ShareVolumes, parameters: Parameters, call: Call): Promise<bigint> {
  const room = await volumes.room(call, parameters);
  return room?.leftBytes ?? (await volumes.space(call)).availableBytes;
}

/** A volume lies on one share, so the largest has the room of the roomiest. */
function total(available: readonly bigint[]): Capacity {
  let [availableBytes, volumeBytesMax] = [0n, 0n];
  for (const bytes of available) {
    availableBytes += bytes;
    if (bytes > volumeBytesMax) volumeBytesMax = bytes;
  }
  return { availableBytes, volumeBytesMax };
}
