/**
 * What a limit costs: CreateVolume of the program as it ships, on an export of NFS-Ganesha on loopback in memory,
 * without a limit, with one, and with one when many volumes are there.
 *
 *     node bench/export/overcommit.ts [volumes that are there]
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CsiConnection } from "../../src/lab/csi-client.ts";
import { startGanesha } from "../../test/nfs/ganesha.ts";
import { sandboxed } from "../../tools/sandbox.ts";
import { createVolume } from "../calls.ts";
import { residentMb } from "../memory.ts";
import { Place } from "../place.ts";
import { atMost, type Figure, figure, median, printTable, ratio } from "../table.ts";

const there = Number(process.argv.slice(2).find((word) => !word.startsWith("--")) ?? 10_000);
const [alone, many, inFlight] = [300, 1500, 64];
const base = join(import.meta.dirname, "..", "..", ".cache");
mkdirSync(base, { recursive: true });

await sandboxed(
  "bench-overcommit",
  async (directory) => {
    const figures = await measure(new Place(directory));
    process.stdout.write(`NFS 4.1, Ganesha on loopback, in memory\n\n${printTable(figures)}`);
    return figures.every(({ goal }) => goal?.holds ?? true) ? 0 : 1;
  },
  base,
);

async function measure(place: Place): Promise<Figure[]> {
  await using server = await startGanesha({ exports: [{ name: "data", sizeBytes: 2 * 2 ** 30 }] });
  writeFileSync(
    place.at("berth.yaml"),
    `exports:
  - name: bench
    server: ${server.address}
    share: /srv/data
    nfsVersion: "4.1"
    port: ${server.nfsPort}
    mountPort: ${server.mountPort}
`,
  );
  const { driver, endpoint } = await place.serve("controller");
  const connection = new CsiConnection(endpoint);
  // Each volume is promised 1 GiB, of a share that has two: without a limit no ledger is kept.
  const rounds = [
    { what: "without a limit", overcommit: "unlimited" },
    { what: "with a limit", overcommit: "9999.999" },
  ];
  let count = 0;
  const create = async (overcommit: string): Promise<void> => {
    count += 1;
    await createVolume(connection, `pvc-${count}`, { type: "export", export: "bench", overcommit });
  };
  const one = async (overcommit: string): Promise<number> => {
    const durationsMs: number[] = [];
    for (let round = 0; round < alone; round += 1) {
      const beginMs = performance.now();
      await create(overcommit);
      durationsMs.push(performance.now() - beginMs);
    }
    return median(durationsMs);
  };
  const perSecond = async (overcommit: string, wanted: number): Promise<number> => {
    const startMs = performance.now();
    const end = count + wanted;
    const worker = async () => {
      while (count < end) await create(overcommit);
    };
    await Promise.all(Array.from({ length: inFlight }, worker));
    return (wanted / (performance.now() - startMs)) * 1000;
  };
  try {
    await perSecond("unlimited", 200); // connections are made, and code is warm
    const figures: Figure[] = [];
    const rates: number[] = [];
    for (const { what, overcommit } of rounds) {
      const rate = await perSecond(overcommit, many);
      rates.push(rate);
      figures.push(figure(`CreateVolume ${what}, ${inFlight} in flight`, rate, "/s"));
      figures.push(atMost(`CreateVolume ${what}, alone, p50`, await one(overcommit), "ms", 3));
    }
    const [free = 0, few = 0] = rates;
    await perSecond("9999.999", Math.max(inFlight, there - count));
    const full = await perSecond("9999.999", many);
    figures.push(figure(`CreateVolume with a limit and ${count} volumes, ${inFlight} in flight`, full, "/s"));
    figures.push(
      atMost(`CreateVolume with a limit and ${count} volumes, alone, p50`, await one("9999.999"), "ms", 3),
    );
    figures.push(ratio("a limit, in flight", few, free));
    figures.push(ratio(`${count} volumes, in flight`, full, few));
    figures.push(atMost(`controller: resident with ${count} volumes`, residentMb(driver.pid), "MB", 110));
    return figures;
  } finally {
    connection.close();
    await driver.stop();
  }
}
