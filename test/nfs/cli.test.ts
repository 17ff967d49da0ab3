import assert from "node:assert/strict";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { berthNfs, urlOf } from "./berth-nfs.ts";
import { startGanesha } from "./ganesha.ts";

for (const version of ["3", "4.1"]) {
  test(`over NFS ${version} a tree is listed, read, copied and removed`, async () => {
    await using server = await startGanesha();
    const directory = server.directory("data");
    await mkdir(`${directory}/tree/below`, { recursive: true });
    await writeFile(`${directory}/tree/below/file`, "content");
    const url = (path: string) => urlOf(server, path, version);

    const listed = await berthNfs("ls", "-R", url(""));
    assert.deepEqual(listed.stdout.trim().split("\n").sort(), ["tree", "tree/below", "tree/below/file"]);
    assert.equal((await berthNfs("cat", url("/tree/below/file"))).stdout, "content");
    const described = JSON.parse((await berthNfs("stat", "--json", url("/tree/below/file"))).stdout);
    assert.deepEqual([described.type, described.sizeBytes], ["file", 7]);
    assert.equal(JSON.parse((await berthNfs("du", "--json", url("/tree"))).stdout).entries, 3);
    assert.match((await berthNfs("df", url("/"))).stdout, /1\.0 GiB available/);

    assert.equal((await berthNfs("mkdir", "-p", url("/made/here"))).exitCode, 0);
    const copied = await berthNfs("cp", "-r", url("/tree"), url("/made/here/copy"));
    assert.match(copied.stdout, /3 entries copied; files by read-write \(through this machine\): 1/);
    assert.equal(await readFile(`${directory}/made/here/copy/below/file`, "utf8"), "content");

    const local = `${directory}/../local`;
    await writeFile(`${local}-source`, Buffer.alloc(5_000_001, "0123456789"));
    assert.equal((await berthNfs("put", `${local}-source`, url("/large"))).exitCode, 0);
    assert.equal((await berthNfs("get", url("/large"), `${local}-copy`)).exitCode, 0);
    assert.deepEqual(await readFile(`${local}-copy`), await readFile(`${local}-source`));

    assert.equal((await berthNfs("mv", url("/large"), url("/made/moved"))).exitCode, 0);
    assert.equal((await stat(`${directory}/made/moved`)).size, 5_000_001);

    assert.equal((await berthNfs("rm", url("/tree"))).exitCode, 2);
    assert.equal((await berthNfs("rm", "-r", url("/tree"))).exitCode, 0);
    await assert.rejects(stat(`${directory}/tree`), { code: "ENOENT" });
  });
}

test("the exit code tells a refusal from bad usage and from a server that is not there", async () => {
  await using server = await startGanesha();
  const found = await berthNfs("ping", urlOf(server, "", "3"));
  assert.match(found.stdout, /tcp .*\nversions .* NFS 3, 4 answer\nexport .* by NFS 3\nroot .* mode 755/);
  const missing = await berthNfs("cat", urlOf(server, "/missing", "3"));
  assert.equal(missing.exitCode, 1);
  assert.match(missing.stderr, /NOENT: there is no such file/);
  assert.equal((await berthNfs("ls", "nas")).exitCode, 2);
  await server.stop();
  const absent = await berthNfs("ping", "--json", urlOf(server, "", "3"));
  assert.equal(absent.exitCode, 3);
  assert.match(JSON.parse(absent.stdout).error.message, /nothing listens on this port/);
});
