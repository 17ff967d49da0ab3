import { join } from "node:path";
import type { Program } from "../../src/lab/site/site.ts";
import { bundle } from "../../tools/bundle.ts";
import { scratchDirectory } from "../../tools/scratch.ts";

/** In the repository: the program finds its examples from where it lies. */
const cache = join(import.meta.dirname, "../../.cache");

let bundled: Promise<Program> | undefined;

export function bundledProgram(): Promise<Program> {
  bundled ??= make();
  return bundled;
}

async function make(): Promise<Program> {
  const directory = scratchDirectory("bundle", cache);
  const file = join(directory, "berth.js");
  await bundle(file);
  return { node: process.execPath, flags: [], bundle: file };
}
