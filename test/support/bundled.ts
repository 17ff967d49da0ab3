/** The program as it ships, bundled from the sources as they are now, for as long as the test's process lives. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "../../src/lab/site/site.ts";
import { bundle } from "../../tools/bundle.ts";

/** In the repository: the program finds its examples from where it lies. */
const cache = join(import.meta.dirname, "../../.cache");

let bundled: Promise<Program> | undefined;

export function bundledProgram(): Promise<Program> {
  bundled ??= make();
  return bundled;
}

async function make(): Promise<Program> {
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, "bundle-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "berth.js");
  await bundle(file);
  return { node: process.execPath, flags: [], bundle: file };
}
