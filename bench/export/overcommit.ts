import type { Place } from "../place.ts";
import { mostResidentMb, residentMb } from "../resident.ts";
import { atMost, type Figure, figure, ratio } from "../table.ts";
import { ExportSite, type Version } from "./site.ts";
import { type Timing, timed } from "./timed.ts";

const [alone, many, inFlight, there] = [300, 1500, 64, 10_000];
/** Each volume is promised 1 GiB, of a share that has two: without a limit no ledger is kept. */
const limit = "9999.999";

/**
 * What a limit costs: CreateVolume without one, with one, and with one when many volumes are there; and what the
 * controller keeps resident with all of them.
 */
export async function measureOvercommit(place: Place, version: Version): Promise<Figure[]> {
  await using site = await ExportSite.open(place, version, { sizeBytes: 2 * 2 ** 30 });
  let count = 0;
  const create = async (overcommit: string): Promise<void> => {
    count += 1;
    await site.create(`pvc-${count}`, { overcommit });
  };
  const several = async (overcommit: string, wanted: number): Promise<Timing> =>
    await timed(inFlight, wanted, () => create(overcommit));
  const one = async (overcommit: string): Promise<Timing> => await timed(1, alone, () => create(overcommit));
  await several("unlimited", 300); // connections are made, and code is warm
  const figures: Figure[] = [];
  const both = async (what: string, overcommit: string): Promise<number> => {
    const { perSecond } = await several(overcommit, many);
    figures.push(figure(`CreateVolume ${what}, ${inFlight} in flight`, perSecond, "/s"));
    figures.push(atMost(`CreateVolume ${what}, alone, p50`, (await one(overcommit)).medianMs, "ms", 3));
    return perSecond;
  };
  const free = await both("without a limit", "unlimited");
  const { mostMs } = await timed(1, 1, () => create(limit));
  figures.push(figure(`CreateVolume, the first with a limit: reads ${count} records`, mostMs, "ms"));
  await several(limit, 300); // what a limit needs is warm as well
  const few = await both("with a limit", limit);
  await several(limit, Math.max(inFlight, there - count));
  const full = await both(`with a limit and ${count} volumes`, limit);
  return [
    ...figures,
    ratio("a limit, in flight", few, free),
    ratio("a limit and 10,000 volumes, in flight", full, few),
    figure(`controller: resident with ${count} volumes`, residentMb(site.pid), "MB"),
    atMost("controller: resident at most, throughout", mostResidentMb(site.pid), "MB", 110),
  ];
}
