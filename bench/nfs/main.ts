import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { scratchDirectory } from "../../tools/scratch.ts";
import { measureCalls } from "./calls.ts";
import { measureClone } from "./clone.ts";
import { measureKernel } from "./kernel.ts";
import { measuredCommand } from "./measured.ts";
import { measureMutated } from "./mutated.ts";
import type { Place } from "./place.ts";
import { printHead, printRow, type Row } from "./table.ts";
import { measureTransfer } from "./transfer.ts";
import { measureMillion, measureTrees } from "./trees.ts";

type Measure = (place: Place) => AsyncIterable<Row>;

const sections: Readonly<Record<string, readonly [title: string, measure: Measure]>> = {
  calls: ["Calls a second, one connection", measureCalls],
  trees: ["Trees", measureTrees],
  million: ["Memory", measureMillion],
  transfer: ["One large file", measureTransfer],
  clone: ["Clone on the server", measureClone],
  mutated: ["Mutated replies", measureMutated],
  kernel: ["Against the kernel's client in the same guest", measureKernel],
};

const { values } = parseArgs({
  options: { quick: { type: "boolean" }, only: { type: "string" }, "kernel-files": { type: "string" } },
});
const scale = values.quick === true ? 0.1 : 1;
const wanted = values.only?.split(",") ?? Object.keys(sections);

/** On the disk that holds the repository: a temporary directory may be memory, and a guest has its own. */
const base = join(import.meta.dirname, "..", "..", ".cache");
const directory = scratchDirectory("bench-nfs", base);
const place: Place = {
  directory,
  command: await measuredCommand(directory),
  scale,
  kernelFiles: Number(values["kernel-files"] ?? 100_000 * scale),
};
process.stdout.write(`${machine()}\n\n`);
for (const name of wanted) {
  const section = sections[name];
  if (section === undefined) throw new TypeError(`no section ${name}: ${Object.keys(sections).join(", ")}`);
  const [title, measure] = section;
  process.stdout.write(printHead(title));
  for await (const row of measure(place)) {
    process.stdout.write(printRow(row));
    if (row.holds === false) process.exitCode = 1;
  }
  process.stdout.write("\n");
}

function machine(): string {
  const [cpu] = cpus();
  return `${cpus().length} × ${cpu?.model.trim()}, Linux ${release()}, Node.js ${process.versions.node}`;
}
