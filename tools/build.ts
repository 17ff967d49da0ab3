/** Bundles the program into `dist/berth.js`: one file that needs nothing but Node.js. */
import { chmod, rm } from "node:fs/promises";
import { build } from "esbuild";

const outfile = "dist/berth.js";

/** Bundled CommonJS packages ask for Node's own modules by `require`, which an ES module must make. */
const banner = `#!/usr/bin/env node
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
