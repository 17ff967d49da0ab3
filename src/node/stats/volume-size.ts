import { BerthError } from "../../core/errors.ts";
import { exitCodes, stepError } from "../helpers/helper-script.ts";
import type { Helpers } from "../helpers/helpers.ts";
import { type BindSource, storageOf } from "../mounts/mount-source.ts";
import { childOf } from "../mounts/node-path.ts";
import { nodeLimits } from "../node-limits.ts";

/** A line of the volume's own, not of something within it: records are JSON, indented by two. */
const sizeLine = /^ {2}"sizeBytes": "([0-9]{1,20})",?$/gm;

/**
 * A volume's size in bytes, from its record on the share. Sizes only grow, so it is the largest that
 * identity and later sizes name. A helper reads them: the daemon touches no path on a share.
 * @throws BerthError `not-found` without a record
 */
export async function volumeSize(helpers: Helpers, volumeId: string, source: BindSource): Promise<bigint> {
  const reply = await helpers.run({
    volumeId,
    storage: storageOf(source),
    verb: "record",
    args: [childOf(source.sharePath, `.berth/volumes/${source.name}`)],
    timeoutMs: nodeLimits.stepMsMax,
  });
  if (reply.exitCode === exitCodes.noRecord) {
    throw new BerthError("not-found", `volume ${volumeId} has no record on share ${source.shareName}`);
  }
  if (reply.exitCode !== 0) throw stepError("record", reply, `volume ${volumeId}`);
  let size = 0n;
  for (const [, digits] of reply.output.matchAll(sizeLine)) {
    const one = BigInt(digits ?? 0);
    if (one > size) size = one;
  }
  return size;
}
