/** Builds the library's entry points (`exports` in package.json), with their types. */
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");

/** @param directory gets `nfs/index.mjs`, `nfs/trees.mjs`, what both share, and `types/` */
export async function library(directory: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: { index: "src/nfs/index.ts", trees: "src/nfs/trees/index.ts" },
    outdir: join(directory, "nfs"),
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // What both entry points share, such as the class of errors, is there once.
    splitting: true,
    platform: "node",
    target: "node24",
    format: "esm",
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: "linked",
    legalComments: "none",
    logLevel: "warning",
  });
  const types = join(directory, "types");
  const declarations = ["--declaration", "--emitDeclarationOnly", "--outDir", types];
  const project = ["--noEmit", "false", "--project", "tools/library.tsconfig.json"];
  execFileSync(join(root, "node_modules/.bin/tsc"), [...project, ...declarations], {
    cwd: root,
    stdio: "inherit",
  });
  // The program beside it is CommonJS; what these declare are ES modules.
  await writeFile(join(types, "package.json"), '{ "type": "module" }\n');
}
