import assert from "node:assert/strict";
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { test } from "node:test";
import { connectNfs, type NfsClient, type NfsVersion } from "../../src/nfs/index.ts";
import { copyTree } from "../../src/nfs/trees/copy.ts";
import { removeTree } from "../../src/nfs/trees/remove.ts";
import { usageOfTree } from "../../src/nfs/trees/usage.ts";
import { walkTree } from "../../src/nfs/trees/walk.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

const versions: readonly NfsVersion[] = ["3", "4.1"];

async function connect(server: Ganesha, version: NfsVersion): Promise<NfsClient> {
  const { address: host, nfsPort: port, mountPort } = server;
  return await connectNfs({ host, port, mountPort, path: "/srv/data", versions: [version] });
}

async function grow(directory: string): Promise<void> {
  await mkdir(`${directory}/below/empty`, { recursive: true });
  await writeFile(`${directory}/small`, "small");
  await writeFile(`${directory}/large`, Buffer.alloc(3_000_000, "x"));
  await link(`${directory}/small`, `${directory}/below/second`);
  await symlink("../nowhere", `${directory}/below/link`);
  await using sparse = await open(`${directory}/sparse`, "w");
  await sparse.write(Buffer.from("end"), 0, 3, 50_000_000);
  await chown(`${directory}/large`, 1000, 1001);
  await chmod(`${directory}/large`, 0o640);
  await utimes(`${directory}/large`, 1_000_000, 2_000_000);
  for (const [name, mode] of [
    ["small-set-uid", 0o4755],
    ["large-set-ids", 0o6711],
  ] as const) {
    await writeFile(`${directory}/${name}`, Buffer.alloc(name.startsWith("large") ? 3_000_000 : 10, "x"));
    await chown(`${directory}/${name}`, 1000, 1001);
    await chmod(`${directory}/${name}`, mode);
  }
  await utimes(`${directory}/below`, 3_000_000, 4_000_000);
}

/** Everything of a tree that a copy keeps, by path; Ganesha sets no times of symbolic links. */
async function describe(directory: string): Promise<string[]> {
  const paths = await readdir(directory, { recursive: true });
  const lines = paths.sort().map(async (path) => {
    const { mode, uid, gid, size, mtimeMs, nlink } = await lstat(`${directory}/${path}`);
    const modifiedMs = path.endsWith("link") ? "" : mtimeMs;
    return `${path} ${mode.toString(8)} ${uid}:${gid} ${size} ${modifiedMs} ${nlink}`;
  });
  return await Promise.all(lines);
}

for (const version of versions) {
  test(`over NFS ${version} a copy has the modes, owners, times, links and holes of its source`, async () => {
    await using server = await startGanesha();
    const directory = server.directory("data");
    await grow(`${directory}/tree`);
    const client = await connect(server, version);
    try {
      const { root } = client;
      const source = await client.lookup(root.handle, "tree");
      const report = await copyTree(client, source, { client, directory: root.handle, name: "copy" });
      assert.equal(report.ways["read-write"], 5);
      assert.equal(report.unknownOwners, 0);
      assert.deepEqual(await describe(`${directory}/copy`), await describe(`${directory}/tree`));
      assert.deepEqual(await readFile(`${directory}/copy/large`), await readFile(`${directory}/tree/large`));
      assert.ok((await lstat(`${directory}/copy/sparse`)).blocks * 512 < 1_000_000);
      const again = await copyTree(
        client,
        source,
        { client, directory: root.handle, name: "copy" },
        { resume: true },
      );
      assert.equal(again.ways.kept, 5);
    } finally {
      await client.close();
    }
  });

  test(`over NFS ${version} a wide and a deep tree are walked, measured and removed`, async () => {
    await using server = await startGanesha();
    const wide = `${server.directory("data")}/tree/wide`;
    await mkdir(wide, { recursive: true });
    for (let index = 0; index < 5_000; index++) await writeFile(`${wide}/file-${index}`, "12345");
    await mkdir(`${server.directory("data")}/tree/${Array(1000).fill("d").join("/")}`, { recursive: true });
    const client = await connect(server, version);
    try {
      let entries = 0;
      for await (const page of walkTree(client, client.root)) entries += page.entries.length;
      assert.equal(entries, 6_002);
      const usage = await usageOfTree(client, client.root);
      assert.deepEqual([usage.entries, usage.directories, usage.sizeBytes], [6_003, 1_003, 25_000n]);
      const removed = await removeTree(client, client.root.handle, "tree");
      assert.equal(removed.entries, 6_002);
      assert.deepEqual(await readdir(server.directory("data")), []);
    } finally {
      await client.close();
    }
  });
}

test("owners that a v4 server names by no number are counted, and belong to whoever copies", async () => {
  await using server = await startGanesha({ numericOwners: false });
  const directory = server.directory("data");
  await writeFile(`${directory}/file`, "");
  await chown(`${directory}/file`, 1, 1); // daemon, who has a name everywhere
  const client = await connect(server, "4.1");
  const source = await client.lookup(client.root.handle, "file");
  const report = await copyTree(client, source, { client, directory: client.root.handle, name: "copy" });
  await client.close();
  assert.equal(report.unknownOwners, 1);
  assert.equal((await lstat(`${directory}/copy`)).uid, 0);
});
