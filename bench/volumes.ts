import { open, unlink } from "node:fs/promises";
import { CsiConnection } from "../src/lab/csi-client.ts";
import { createVolume, deleteVolume } from "./calls.ts";
import type { Place } from "./place.ts";
import { atLeast, type Figure, figure, ratio } from "./table.ts";

const inFlight = 32;
const measureMs = 8_000;
const bareMs = 2_000;
const pairsPerSecondMin = 500;

/**
 * Volumes created and deleted a second; before and after it what the disk does with bare files. In memory the
 * same shows what the program itself costs.
 */
export async function measureVolumes(place: Place): Promise<Figure[]> {
  const before = await measureBareFiles(place);
  const perSecond = await measurePairs(place);
  const barePerSecond = (before + (await measureBareFiles(place))) / 2;
  return [
    atLeast(`CreateVolume + DeleteVolume, ${inFlight} in flight`, perSecond, "pairs/s", pairsPerSecondMin),
    figure(`a bare file created, synced and removed, ${inFlight} in flight`, barePerSecond, "files/s"),
    ratio("bare files in the time of one pair", barePerSecond, perSecond),
    figure("the same pairs on a file system in memory", await measurePairs(place.inMemory()), "pairs/s"),
  ];
}

async function measurePairs(place: Place): Promise<number> {
  const { driver, endpoint } = await place.serve("controller");
  const connection = new CsiConnection(endpoint);
  const perSecond = await repeat(measureMs, async (name) => {
    const { volumeId } = await createVolume(connection, `pvc-${name}`);
    await deleteVolume(connection, volumeId);
  });
  connection.close();
  await driver.stop();
  return perSecond;
}

/** By the benchmark's own process, with Node.js's usual threads. */
async function measureBareFiles(place: Place): Promise<number> {
  return await repeat(bareMs, async (name) => {
    const path = place.at(name);
    const file = await open(path, "wx");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await unlink(path);
  });
}

/** About the size of a record. */
const content = Buffer.alloc(500);

/** Does `work`, `inFlight` at a time, under names that differ. @returns how often a second */
async function repeat(ms: number, work: (name: string) => Promise<void>): Promise<number> {
  const startMs = performance.now();
  let done = 0;
  const worker = async (worker: number) => {
    for (let round = 0; performance.now() - startMs < ms; round++) {
      await work(`${worker}-${round}`);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, index) => worker(index)));
  return (done / (performance.now() - startMs)) * 1000;
}
