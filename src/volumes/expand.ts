import type { Call } from "../core/call.ts";
import { BerthError } from "../core/errors.ts";
import { printVolumeId, type VolumeId } from "../core/volume-id.ts";
import { join } from "../share/share-path.ts";
import { admitGrowth } from "./admission.ts";
import { checkRecord, isInPlace, readRecord, volumeOf } from "./catalog.ts";
import { claimFile } from "./claim.ts";
import type { ShareContext } from "./context.ts";
import { recordPath, sizeFile } from "./layout.ts";
import { encodeRecord, newSize, nonceOf } from "./record.ts";
import type { CapacityRange, Volume } from "./volume.ts";

const attemptsMax = 16;

/** The volume as its record tells it. @throws BerthError `not-found` */
export async function getVolume(context: ShareContext, id: VolumeId): Promise<Volume> {
  const { share, owner } = context;
  const record = await readRecord(share, id.name);
  if (record === undefined || record.deleted !== undefined) throw notFound(context, id);
  checkRecord(record, id, owner, share.name);
  return volumeOf(id, record, await isInPlace(share, record));
}

/**
 * Makes a volume at least as large as asked. Each size is a file of its own with the next number, and a
 * number is given once: of two who grow it at the same time, the later starts from the other's size.
 */
export async function expandVolume(
  context: ShareContext,
  call: Call,
  id: VolumeId,
  { requiredBytes, limitBytes }: CapacityRange,
): Promise<Volume> {
  const { share, owner, newNonce, clock } = context;
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    call.signal.throwIfAborted();
    const record = await readRecord(share, id.name);
    if (record === undefined || record.deleted !== undefined) throw notFound(context, id);
    checkRecord(record, id, owner, share.name);
    if (limitBytes > 0n && record.sizeBytes > limitBytes) {
      throw new BerthError(
        "out-of-range",
        `volume ${id.name} has ${record.sizeBytes} bytes, more than the limit of ${limitBytes}: volumes only grow`,
      );
    }
    if (record.sizeBytes >= requiredBytes) {
      if (attempt > 1) await admitGrowth(context, id.name, record, record.sizeBytes, "grown");
      return volumeOf(id, record, await isInPlace(share, record));
    }
    call.effects.begin();
    await admitGrowth(context, id.name, record, requiredBytes, "grow");
    const [generation, nonce] = [record.generation + 1, newNonce()];
    const size = newSize({
      generation,
      nonce,
      sizeBytes: `${requiredBytes}`,
      changedAt: new Date(clock.nowMs()).toISOString(),
    });
    await claimFile(
      share,
      join(recordPath(id.name), sizeFile(generation, nonceOf(record.identity))),
      encodeRecord(size),
      nonce,
    );
  }
  throw new BerthError("aborted", `${share.name}: ${id.name} keeps changing while it is expanded: retry`);
}

export function notFound({ share }: ShareContext, id: VolumeId): BerthError {
  return new BerthError("not-found", `${share.name} has no volume ${printVolumeId(id)}`);
}
