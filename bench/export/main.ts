/**
 * Volumes on an export of NFS-Ganesha on loopback, by the controller as it ships: prints a table in Markdown, then
 * the goals that are missed. Exit code 0: every goal is met; 1: one is missed, or a measurement failed.
 *
 *     node bench/export/main.ts [--nfs=3|4.1] [--only=calls,limits,large]
 */
import { mkdirSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { sandboxed } from "../../tools/sandbox.ts";
import { Place } from "../place.ts";
import { type Figure, printTable, printVerdict } from "../table.ts";
import { measureCreateDelete } from "./create-delete.ts";
import { measureLarge } from "./large.ts";
import { measureOvercommit } from "./overcommit.ts";

const sections = { calls: measureCreateDelete, limits: measureOvercommit, large: measureLarge };
const { values } = parseArgs({
  strict: false,
  options: { nfs: { type: "string" }, only: { type: "string" } },
});
const version = values.nfs === "3" ? "3" : "4.1";
const wanted = typeof values.only === "string" ? values.only.split(",") : undefined; // the sandbox has words of its own
/** On the disk that holds the repository: a temporary directory may be memory, and memory has no fsync. */
const base = join(import.meta.dirname, "..", "..", ".cache");
mkdirSync(base, { recursive: true });

await sandboxed(
  "bench-export",
  async (directory) => {
    const place = new Place(directory);
    const [load = 0] = loadavg();
    const figures: Figure[] = [];
    for (const [name, measure] of Object.entries(sections)) {
      if (wanted?.includes(name) ?? true) figures.push(...(await measure(place, version)));
    }
    const [cpu] = cpus();
    const machine = `${cpus().length} × ${cpu?.model.trim()}, Linux ${release()}, Node.js ${process.versions.node}`;
    process.stdout.write(
      `NFS ${version}, Ganesha on loopback; ${machine}; load before the run ${load.toFixed(1)}\n\n` +
        `${printTable(figures)}\n${printVerdict(figures)}`,
    );
    return figures.every(({ goal }) => goal?.holds ?? true) ? 0 : 1;
  },
  base,
);
