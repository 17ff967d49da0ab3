/**
 * Bundles the program, leaves its compiled code beside it, and builds the library's entry points:
 *
 *     node tools/build.ts [directory]
 */
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.ts";
import { library } from "./library.ts";
import { warmUp } from "./warm-up.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const directory = resolve(positionals[0] ?? join(import.meta.dirname, "..", "dist"));

await rm(directory, { recursive: true, force: true });
await bundle(join(directory, "berth.js"));
await warmUp(join(directory, "berth.js"));
await library(directory);
