import { mkdirSync } from "node:fs";
import type { Place } from "../place.ts";
import { atLeast, atMost, type Figure, figure } from "../table.ts";
import { ExportSite, type Version } from "./site.ts";
import { timed } from "./timed.ts";

const [warm, alone, many, inFlight] = [300, 300, 3000, 64];

/**
 * CreateVolume and DeleteVolume, one call at a time and 64 in flight: on a memory file system, and on the disk, whose
 * writes are really synced. The goals are for the former: on a disk each creation waits for it.
 */
export async function measureCreateDelete(place: Place, version: Version): Promise<Figure[]> {
  const disk = place.at("disk");
  mkdirSync(disk);
  return [
    ...(await measureOn(place, version, "in memory", {}, true)),
    ...(await measureOn(place, version, "on disk", { directory: disk }, false)),
  ];
}

async function measureOn(
  place: Place,
  version: Version,
  where: string,
  more: { directory?: string },
  isHeldToGoals: boolean,
): Promise<Figure[]> {
  await using site = await ExportSite.open(place, version, more);
  const create = async (index: number) => await site.create(`pvc-${index}`);
  const remove = async (index: number) => await site.delete(`pvc-${index}`);
  await timed(8, warm, create); // connections are made, and code is warm
  await timed(8, warm, remove);
  const one = { create: await timed(1, alone, create), remove: await timed(1, alone, remove) };
  const all = { create: await timed(inFlight, many, create), remove: await timed(inFlight, many, remove) };
  const [p50, rate] = [`CreateVolume ${where}, alone, p50`, `CreateVolume ${where}, ${inFlight} in flight`];
  return [
    isHeldToGoals ? atMost(p50, one.create.medianMs, "ms", 3) : figure(p50, one.create.medianMs, "ms"),
    figure(`CreateVolume ${where}, alone, p99`, one.create.p99Ms, "ms"),
    figure(`DeleteVolume ${where}, alone, p50`, one.remove.medianMs, "ms"),
    figure(`DeleteVolume ${where}, alone, p99`, one.remove.p99Ms, "ms"),
    isHeldToGoals
      ? atLeast(rate, all.create.perSecond, "/s", 1000)
      : figure(rate, all.create.perSecond, "/s"),
    figure(`CreateVolume ${where}, ${inFlight} in flight, p99`, all.create.p99Ms, "ms"),
    figure(`DeleteVolume ${where}, ${inFlight} in flight`, all.remove.perSecond, "/s"),
    figure(`DeleteVolume ${where}, ${inFlight} in flight, p99`, all.remove.p99Ms, "ms"),
  ];
}
