/** Bundles the program: one file that needs nothing but Node.js. */
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");

/**
 * A small heap for a small daemon: V8's defaults let it grow to three times of this before they collect, and
 * its helper threads cost another 10 MB (`make bench` shows what is resident).
 */
const flags = "--single-threaded --max-semi-space-size=1";

/** Bundled CommonJS packages ask for Node's own modules by `require`, which an ES module must make. */
const banner = `#!/usr/bin/env -S node ${flags}
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);`;

/** @param outfile beside it the source map is written */
export async function bundle(outfile: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: ["src/cli/main.ts"],
    outfile,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    banner: { js: banner },
    // Names stay, so that a stack in a log can be read; `node --enable-source-maps` gives lines too.
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: "linked",
    legalComments: "none",
    logLevel: "warning",
  });
  await chmod(outfile, 0o755);
}
