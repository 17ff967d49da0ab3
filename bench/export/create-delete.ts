/**
 * CreateVolume and DeleteVolume of the program as it ships, on an export of NFS-Ganesha on loopback: one call
 * at a time, and 64 in flight; on a memory file system, and on the disk, whose writes are really synced.
 *
 *     node bench/export/create-delete.ts [3|4.1] [volumes]
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CsiConnection } from "../../src/lab/csi-client.ts";
import { type Ganesha, startGanesha } from "../../test/nfs/ganesha.ts";
import { sandboxed } from "../../tools/sandbox.ts";
import { createVolume, deleteVolume } from "../calls.ts";
import { Place } from "../place.ts";
import { atLeast, atMost, type Figure, median, printTable } from "../table.ts";

const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const version = words[0] === "3" ? "3" : "4.1";
const volumes = Number(words[1] ?? 2000);
const alone = 200;
const inFlight = 64;
const parameters = { type: "export", export: "bench" };
/** On the disk that holds the repository: a temporary directory may be memory, and memory has no fsync. */
const base = join(import.meta.dirname, "..", "..", ".cache");
mkdirSync(base, { recursive: true });

await sandboxed(
  "bench-export",
  async (directory) => {
    const place = new Place(directory);
    const disk = join(directory, "disk");
    mkdirSync(disk);
    const figures = [
      ...(await measureOn(place, "in memory", {})),
      ...(await measureOn(place, "on disk", { directory: disk })),
    ];
    process.stdout.write(`NFS ${version}, Ganesha on loopback\n\n${printTable(figures)}`);
    return figures.every(({ goal }) => goal?.holds ?? true) ? 0 : 1;
  },
  base,
);

async function measureOn(place: Place, where: string, more: { directory?: string }): Promise<Figure[]> {
  await using server = await startGanesha({ exports: [{ name: "data", ...more }] });
  writeFileSync(place.at("berth.yaml"), configurationOf(server));
  const { driver, endpoint } = await place.serve("controller");
  const connection = new CsiConnection(endpoint);
  const create = async (index: number) =>
    (await createVolume(connection, `pvc-${index}`, parameters)).volumeId;
  const remove = async (index: number) => await deleteVolume(connection, `export/nfs/pvc-${index}/bench`);
  try {
    await timed(1, 100, create); // connections are made, and code is warm
    await timed(1, 100, remove);
    const one = { create: await timed(1, alone, create), remove: await timed(1, alone, remove) };
    const many = {
      create: await timed(inFlight, volumes, create),
      remove: await timed(inFlight, volumes, remove),
    };
    return [
      atMost(`CreateVolume ${where}, alone, p50`, one.create.medianMs, "ms", 3),
      atMost(`DeleteVolume ${where}, alone, p50`, one.remove.medianMs, "ms", 10),
      atMost(`DeleteVolume ${where}, alone, p99`, one.remove.p99Ms, "ms", 20),
      atLeast(`CreateVolume ${where}, ${inFlight} in flight`, many.create.perSecond, "/s", 1000),
      atLeast(`DeleteVolume ${where}, ${inFlight} in flight`, many.remove.perSecond, "/s", 500),
    ];
  } finally {
    connection.close();
    await driver.stop();
  }
}

interface Timing {
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly perSecond: number;
}

/** Each of `count` calls once, so many at a time. */
async function timed(
  callsInFlight: number,
  count: number,
  work: (index: number) => Promise<unknown>,
): Promise<Timing> {
  const durationsMs: number[] = [];
  const startMs = performance.now();
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const beginMs = performance.now();
      await work(next++);
      durationsMs.push(performance.now() - beginMs);
    }
  };
  await Promise.all(Array.from({ length: callsInFlight }, worker));
  const sorted = durationsMs.toSorted((a, b) => a - b);
  return {
    medianMs: median(durationsMs),
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
    perSecond: (count / (performance.now() - startMs)) * 1000,
  };
}

function configurationOf({ address, nfsPort, mountPort }: Ganesha): string {
  return `exports:
  - name: bench
    server: ${address}
    share: /srv/data
    nfsVersion: "${version}"
    port: ${nfsPort}
    mountPort: ${mountPort}
`;
}
