/** Bundles the program: two files that need nothing but Node.js. */
import { chmod, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");

/**
 * A small heap for a small daemon: V8's defaults let it grow to three times of this before they collect, and
 * its helper threads cost another 10 MB. New objects get the whole of their space from the start: V8 would begin with
 * half of it, and collect twice as often. Without the last flag new objects are not collected while V8 marks old ones,
 * which adds up to 15 MB under load (`make bench` and `make bench-export` show what is resident).
 */
export const flags = [
  "--single-threaded",
  "--max-semi-space-size=2",
  "--min-semi-space-size=2",
  "--no-separate-gc-phases",
] as const;

const nodeMajor = 24;

/**
 * What is started. It lets Node.js read the program's compiled code from beside it, where `warmUp` left it:
 * that saves a seventh of the start. Without it, with one of another Node.js, or on a file system that cannot
 * be written, the program is compiled as usual. An older Node.js, which could not even read the program, is told so.
 */
const loader = `#!/usr/bin/env -S node ${flags.join(" ")}
if (parseInt(process.versions.node) < ${nodeMajor}) {
  console.error(
    "berth: needs Node.js ${nodeMajor} or later, and this is " + process.version +
      '; a checkout has it after make build: export PATH="$PWD/node_modules/.bin:$PATH"',
  );
  process.exit(1);
}
require("node:module").enableCompileCache({ directory: __dirname + "/cache", portable: true });
require("./program.js");
`;

/**
 * CommonJS: of Node's own modules it loads what the command at hand needs, where an ES module loads all of
 * those that any command needs.
 * @param outfile `…/berth.js`; beside it lie the program, its source map, and what says that they are CommonJS
 */
export async function bundle(outfile: string): Promise<void> {
  const directory = dirname(outfile);
  await build({
    absWorkingDir: root,
    entryPoints: ["src/cli/main.ts"],
    outfile: join(directory, "program.js"),
    bundle: true,
    platform: "node",
    target: `node${nodeMajor}`,
    format: "cjs",
    define: { "import.meta.dirname": "__dirname" },
    // Names stay, so that a stack in a log can be read; `node --enable-source-maps` gives lines too.
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: "linked",
    legalComments: "none",
    logLevel: "warning",
  });
  await writeFile(join(directory, "package.json"), '{ "type": "commonjs" }\n');
  await writeFile(outfile, loader);
  await chmod(outfile, 0o755);
}
