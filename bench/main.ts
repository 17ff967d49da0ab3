/**
 * Measures the program as it ships, in a sandbox, and prints a table in Markdown, then the goals that are
 * missed. Exit code 0: every goal is met; 1: one is missed, or a measurement failed.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { sandboxed } from "../tools/sandbox.ts";
import { measureMemory } from "./memory.ts";
import { Place } from "./place.ts";
import { measurePublish } from "./publish.ts";
import { measureStart } from "./start.ts";
import { type Figure, printTable, printVerdict } from "./table.ts";
import { measureVolumes } from "./volumes.ts";

/** On the disk that holds the repository: a temporary directory may be memory, and memory has no fsync. */
const base = join(import.meta.dirname, "..", ".cache");
mkdirSync(base, { recursive: true });

await sandboxed(
  "bench",
  async (directory) => {
    const place = new Place(directory);
    const figures: Figure[] = [];
    for (const measure of [measureStart, measureMemory, measureVolumes, measurePublish]) {
      figures.push(...(await measure(place)));
    }
    process.stdout.write(`${machine(directory)}\n\n${printTable(figures)}\n${printVerdict(figures)}`);
    return figures.every(({ goal }) => goal?.holds ?? true) ? 0 : 1;
  },
  base,
);

function machine(directory: string): string {
  const fileSystem = execFileSync("findmnt", ["-n", "-o", "FSTYPE", "-T", directory]).toString().trim();
  const [cpu] = cpus();
  return (
    `${cpus().length} × ${cpu?.model.trim()}, Linux ${release()}, Node.js ${process.versions.node}; ` +
    `directory shares on ${fileSystem}`
  );
}
