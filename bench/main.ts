/**
 * Measures the program as it ships, in a sandbox, and prints a table in Markdown, then the goals that are
 * missed. Exit code 0: every goal is met; 1: one is missed, or a measurement failed. With `--here` its shares
 * lie on the file system that holds the repository, not on a new one.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { sandboxed } from "../tools/sandbox.ts";
import { fileSystemOf, mountDisk } from "./disk.ts";
import { describeMachine } from "./machine.ts";
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
    const here = process.argv.includes("--here");
    const place = new Place(here ? directory : mountDisk(directory));
    const disk = here ? fileSystemOf(directory) : `a new ext4 in a file on ${fileSystemOf(directory)}`;
    const before = `${describeMachine()}; directory shares on ${disk}`;
    const figures: Figure[] = [];
    for (const measure of [measureStart, measureMemory, measureVolumes, measurePublish]) {
      figures.push(...(await measure(place)));
    }
    process.stdout.write(`${before}\n\n${printTable(figures)}\n${printVerdict(figures)}`);
    return figures.every(({ goal }) => goal?.holds ?? true) ? 0 : 1;
  },
  base,
);
