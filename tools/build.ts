/** Bundles the program into `dist/berth.js`: one file that needs nothing but Node.js. */
import { chmod, rm } from "node:fs/promises";
import { build } from "esbuild";

const outfile = "dist/berth.js";

/**
 * A small heap for a small daemon: V8's defaults let it grow to three times of this before they collect, and
 * its helper threads cost another 10 MB (`make bench` shows what is resident).
 */
const flags = "--single-threaded --optimize-for-size --max-semi-space-size=2 --heap-growing-percent=20";

/** Bundled CommonJS packages ask for Node's own modules by `require`, which an ES module must make. */
const banner = `#!/usr/bin/env -S node ${flags}
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);`;

await rm("dist", { recursive: true, force: true });
await build({
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
