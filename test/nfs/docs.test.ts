import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { run } from "../../src/lab/guest/process.ts";
import { startGanesha } from "./ganesha.ts";

const modules = {
  '"berth/nfs"': new URL("../../src/nfs/index.ts", import.meta.url),
  '"berth/nfs/trees"': new URL("../../src/nfs/trees/index.ts", import.meta.url),
};

test("the library's example in docs/nfs.md runs as it stands", async () => {
  await using server = await startGanesha();
  await mkdir(`${server.directory("data")}/projects`);
  await writeFile(`${server.directory("data")}/projects/file`, "content");
  const page = await readFile(new URL("../../docs/nfs.md", import.meta.url), "utf8");
  const [, example = ""] = /```ts\n(.*?)```/s.exec(page) ?? [];
  const { address, nfsPort, mountPort } = server;
  const place = `host: "${address}", port: ${nfsPort}, mountPort: ${mountPort}, path: "/srv/data"`;
  let script = example.replace('host: "nas", path: "/srv/data"', place);
  for (const [name, url] of Object.entries(modules)) script = script.replace(name, `"${url}"`);
  const { exitCode, stdout, stderr } = await run([
    process.execPath,
    "--input-type=module-typescript",
    "-e",
    script,
  ]);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /projects 1/);
  assert.deepEqual(await readdir(server.directory("data")), ["projects"]);
});
