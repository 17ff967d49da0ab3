/** The library as its users get it: built, by the entry points of package.json, with types. */
import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { check, run } from "../../src/lab/guest/process.ts";
import { scratchDirectory } from "../../tools/scratch.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

const root = resolve(import.meta.dirname, "../..");

describe("the built library", () => {
  let project: string;
  let examples: readonly string[];

  before(async () => {
    project = scratchDirectory("library");
    const installed = join(project, "node_modules/berth");
    await mkdir(installed, { recursive: true });
    await check([process.execPath, join(root, "tools/build.ts"), join(installed, "dist")]);
    await cp(join(root, "package.json"), join(installed, "package.json"));
    await mkdir(join(project, "node_modules/@types"));
    await symlink(join(root, "node_modules/@types/node"), join(project, "node_modules/@types/node"));
    const page = await readFile(join(root, "docs/nfs.md"), "utf8");
    examples = [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, code = ""]) => code);
    assert.equal(examples.length, 2);
  });
  after(async () => {});

  /** What an example of docs/nfs.md prints, with nothing changed but the server's place. */
  async function outputOf(example: string, { address, nfsPort, mountPort }: Ganesha): Promise<string> {
    const place = `host: "${address}", port: ${nfsPort}, mountPort: ${mountPort}, path: "/srv/data"`;
    const script = join(project, "example.ts");
    await writeFile(script, example.replace('host: "nas", path: "/srv/data"', place));
    // On a terminal the test runner has its children write in colours.
    const { exitCode, stdout, stderr } = await run(["env", "--unset=FORCE_COLOR", process.execPath, script]);
    assert.equal(exitCode, 0, stderr);
    return stdout;
  }

  test("runs the examples of docs/nfs.md as they stand", async () => {
    await using server = await startGanesha();
    const [files = "", trees = ""] = examples;
    await mkdir(`${server.directory("data")}/projects`);
    await writeFile(`${server.directory("data")}/projects/file`, "content");
    assert.match(await outputOf(trees, server), /projects 1/);
    assert.deepEqual(await readdir(server.directory("data")), ["projects"]);
    const shown = await outputOf(files, server);
    assert.ok(shown.startsWith(await readFile("/etc/hosts", "utf8")), shown);
    assert.match(
      shown,
      /\n\[ '(projects', 'hosts|hosts', 'projects)' \]\nstorage-exists \w+ EXIST not-done\n$/,
    );
    assert.equal(await readFile(`${server.directory("data")}/hosts`, "utf8"), "127.0.0.1 localhost\n");
  });

  for (const modules of [
    ["--module", "nodenext"],
    ["--module", "esnext", "--moduleResolution", "bundler"],
  ]) {
    test(`has types for strict programs (${modules.join(" ")})`, async () => {
      const compile = async (text: string): Promise<string> => {
        await writeFile(join(project, "program.ts"), text);
        const strict = ["--ignoreConfig", "--strict", "--noEmit", "--target", "es2024", ...modules];
        const lib = ["--lib", "es2024,esnext.disposable", "--types", "node"];
        const tsc = [join(root, "node_modules/.bin/tsc"), ...strict, ...lib, join(project, "program.ts")];
        const { stdout } = await run(tsc, { env: { PATH: process.env["PATH"] ?? "" } });
        return stdout;
      };
      await writeFile(join(project, "package.json"), '{"type":"module"}');
      for (const example of examples) assert.equal(await compile(example), "");
      assert.match(
        await compile(
          'import { connectNfs } from "berth/nfs";\nawait connectNfs({ host: 1, path: "/x" });\n',
        ),
        /'number' is not assignable to type 'string'/,
      );
      // Only a CommonJS module would have one.
      assert.match(await compile('import nfs from "berth/nfs";\nnfs;\n'), /has no default export/);
    });
  }
});
