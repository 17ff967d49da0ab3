import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeTree } from "../nfs/make-tree.ts";
import type { Place } from "../place.ts";
import { mostResidentMb } from "../resident.ts";
import { atLeast, atMost, type Figure, figure, median } from "../table.ts";
import { ExportSite, type Version } from "./site.ts";
import { timed } from "./timed.ts";

const files = 100_000;
const [deletions, sideBySide] = [200, 4];
const pollMs = 20;
const purgedMsMax = 300_000;

/** DeleteVolume of volumes with 100,000 files, and what the reaper does with them at its default pace. */
export async function measureLarge(place: Place, version: Version): Promise<Figure[]> {
  return [...(await measureDeletions(place, version)), ...(await measureReaper(place, version))];
}

/** The same files again and again: before each deletion they are moved to the next volume, on the server's side. */
async function measureDeletions(place: Place, version: Version): Promise<Figure[]> {
  await using site = await ExportSite.open(place, version, {}, "reaper:\n  interval: 1h\n");
  const share = site.server.directory("data");
  const spare = join(share, "tree");
  makeTree(spare, files);
  const durationsMs: number[] = [];
  for (let index = 0; index < deletions; index += 1) {
    const name = `large-${index}`;
    await site.create(name);
    const tree = join(share, name, "tree");
    renameSync(spare, tree);
    const { mostMs } = await timed(1, 1, () => site.delete(name));
    durationsMs.push(mostMs);
    const trash = join(share, ".berth", "trash");
    const [entry = ""] = readdirSync(trash);
    renameSync(join(trash, entry, "tree", "tree"), spare);
    rmSync(join(trash, entry), { recursive: true });
  }
  const sorted = durationsMs.toSorted((a, b) => a - b);
  const p99Ms = sorted[Math.floor(deletions * 0.99)] ?? Number.NaN;
  return [
    figure(`DeleteVolume of ${files} files, p50 of ${deletions}`, median(durationsMs), "ms"),
    atMost(`DeleteVolume of ${files} files, p99`, p99Ms, "ms", 20),
  ];
}

async function measureReaper(place: Place, version: Version): Promise<Figure[]> {
  const inodes = (sideBySide + 1) * 2 * files;
  await using site = await ExportSite.open(place, version, { inodes }, "reaper:\n  interval: 1s\n");
  const names = Array.from({ length: sideBySide + 1 }, (_, index) => `large-${index}`);
  for (const name of names) {
    await site.create(name);
    makeTree(join(site.server.directory("data"), name, "tree"), files);
  }
  const trash = join(site.server.directory("data"), ".berth", "trash");
  const [first = "", ...others] = names;
  await site.delete(first);
  const one = await untilEmpty(trash);
  for (const name of others) await site.delete(name);
  const all = await untilEmpty(trash);
  const rate = ({ beganMs, endedMs }: Emptied, trees: number): number =>
    (trees * entriesOfEach) / ((endedMs - beganMs) / 1000);
  return [
    figure("from its answer until its space is back (reaper.interval: 1s)", one.endedMs / 1000, "s"),
    atLeast("the reaper at its default pace, one such volume", rate(one, 1), "entries/s", 5000),
    atLeast(
      `the reaper at its default pace, ${sideBySide} side by side`,
      rate(all, sideBySide),
      "entries/s",
      5000,
    ),
    atMost("controller: resident at most while it reaps", mostResidentMb(site.pid), "MB", 110),
  ];
}

/** With the volume's own directory, the tree's, and those in it. */
const entriesOfEach = files + 3 + files / 2 / 1000;

/** When the reaper began, and when nothing was left, in ms from the question. */
interface Emptied {
  readonly beganMs: number;
  readonly endedMs: number;
}

async function untilEmpty(trash: string): Promise<Emptied> {
  const startMs = performance.now();
  let beganMs: number | undefined;
  for (;;) {
    const elapsedMs = performance.now() - startMs;
    const entries = existsSync(trash) ? readdirSync(trash) : [];
    if (entries.some((name) => name.endsWith(".purging"))) beganMs ??= elapsedMs;
    if (entries.length === 0) return { beganMs: beganMs ?? 0, endedMs: elapsedMs };
    if (elapsedMs > purgedMsMax)
      throw new Error(`the reaper has left ${entries.length} entries in the trash`);
    await delay(pollMs);
  }
}
