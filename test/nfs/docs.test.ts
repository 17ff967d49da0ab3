/** The library as its users get it: built, by the entry points of package.json, with types. */
import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { check, run } from "../../src/lab/guest/process.ts";
import { scratchDirectory } from "../../tools/scratch.ts";
import { startGanesha } from "./ganesha.ts";

const root = resolve(import.meta.dirname, "../..");

describe("the built library", () => {
  let project: string;
  let example: string;

  before(async () => {
    project = scratchDirectory("library");
    const installed = join(project, "node_modules/berth");
    await mkdir(installed, { recursive: true });
    await check([process.execPath, join(root, "tools/build.ts"), join(installed, "dist")]);
    await cp(join(root, "package.json"), join(installed, "package.json"));
    await mkdir(join(project, "node_modules/@types"));
    await symlink(join(root, "node_modules/@types/node"), join(project, "node_modules/@types/node"));
    const page = await readFile(join(root, "docs/nfs.md"), "utf8");
    example = /```ts\n(.*?)```/s.exec(page)?.[1] ?? "";
  });
  after(async () => {});

  test("runs the example of docs/nfs.md as it stands", async () => {
    await using server = await startGanesha();
    await mkdir(`${server.directory("data")}/projects`);
    await writeFile(`${server.directory("data")}/projects/file`, "content");
    const { address, nfsPort, mountPort } = server;
    const place = `host: "${address}", port: ${nfsPort}, mountPort: ${mountPort}, path: "/srv/data"`;
    const script = join(project, "example.ts");
    await writeFile(script, example.replace('host: "nas", path: "/srv/data"', place));
    // On a terminal the test runner has its children write in colours.
    const { exitCode, stdout, stderr } = await run(["env", "--unset=FORCE_COLOR", process.execPath, script]);
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /projects 1/);
    assert.deepEqual(await readdir(server.directory("data")), ["projects"]);
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
      assert.equal(await compile(example), "");
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
