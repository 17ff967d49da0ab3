/**
 * Bundles the program into `dist/berth.js`, one file that needs nothing but Node.js, and the library's entry points
 * with their types (`exports` in package.json):
 *
 *     node tools/build.ts [directory]
 */
import { execFileSync } from "node:child_process";
import { chmod, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type BuildOptions, build } from "esbuild";

const root = resolve(import.meta.dirname, "..");
const { positionals } = parseArgs({ allowPositionals: true });
const outdir = resolve(positionals[0] ?? `${root}/dist`);

/**
 * A small heap for a small daemon: V8's defaults let it grow to three times of this before they collect, and
 * its helper threads cost another 10 MB (`make bench` shows what is resident).
 */
const flags = "--single-threaded --optimize-for-size --max-semi-space-size=2 --heap-growing-percent=20";

/** Bundled CommonJS packages ask for Node's own modules by `require`, which an ES module must make. */
const banner = `#!/usr/bin/env -S node ${flags}
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);`;

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  // Names stay, so that a stack in a log can be read; `node --enable-source-maps` gives lines too.
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: "linked",
  legalComments: "none",
  logLevel: "warning",
} as const satisfies BuildOptions;

await rm(outdir, { recursive: true, force: true });
await build({
  ...common,
  entryPoints: ["src/cli/main.ts"],
  outfile: `${outdir}/berth.js`,
  banner: { js: banner },
});
await chmod(`${outdir}/berth.js`, 0o755);

// What both entry points share, such as the class of errors, is there once.
await build({
  ...common,
  entryPoints: { index: "src/nfs/index.ts", trees: "src/nfs/trees/index.ts" },
  outdir: `${outdir}/nfs`,
  splitting: true,
});
const types = ["--declaration", "--emitDeclarationOnly", "--outDir", `${outdir}/types`];
const project = ["--noEmit", "false", "--project", "tools/tsconfig.library.json"];
execFileSync(`${root}/node_modules/.bin/tsc`, [...project, ...types], { cwd: root, stdio: "inherit" });
