/** An NFS client that is not ours, libnfs, reads what we wrote, and we what it wrote. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { check } from "../../src/lab/guest/process.ts";
import { connectNfs, type NfsClient, type NfsVersion } from "../../src/nfs/index.ts";
import { scratchDirectory } from "../../tools/scratch.ts";
import { berthNfs, urlOf } from "./berth-nfs.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

/** libnfs speaks 4.0; the files are the same. */
const versions: readonly (readonly [NfsVersion, 3 | 4])[] = [
  ["3", 3],
  ["3", 4],
  ["4.1", 3],
  ["4.1", 4],
];

describe("libnfs", () => {
  let server: Ganesha;
  let local: string;
  before(async () => {
    server = await startGanesha();
    local = scratchDirectory("judges");
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  function judgeUrl(path: string, version: 3 | 4): string {
    const ports = `nfsport=${server.nfsPort}&mountport=${server.mountPort}`;
    return `nfs://${server.address}/srv/data${path}?${ports}&version=${version}`;
  }

  async function connect(version: NfsVersion): Promise<NfsClient & AsyncDisposable> {
    const { address: host, nfsPort: port, mountPort } = server;
    const client = await connectNfs({ host, port, mountPort, path: "/srv/data", versions: [version] });
    return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
  }

  for (const [ours, theirs] of versions) {
    test(`version ${theirs} of it reads and lists what we wrote by ${ours}`, async () => {
      await using client = await connect(ours);
      const name = `ours-${ours}-${theirs}-ü`;
      await client.create(
        client.root.handle,
        name,
        { mode: 0o640, uid: 1000, gid: 1001 },
        Buffer.from("ours"),
      );
      await client.symlink(client.root.handle, `${name}-link`, name, {});
      assert.equal(await check(["nfs-cat", judgeUrl(`/${name}`, theirs)]), "ours");
      const listed = await check(["nfs-ls", judgeUrl("", theirs)]);
      assert.match(listed, new RegExp(`^-rw-r----- +1 +1000 +1001 +4 ${name}$`, "m"));
      assert.match(listed, new RegExp(`^l.* ${name}-link$`, "m"));
    });

    test(`version ${theirs} of it reads a large file that we put by ${ours}`, async () => {
      const content = Buffer.alloc(5_000_003, `large ${ours}`);
      await writeFile(`${local}/large`, content);
      const name = `large-${ours}-${theirs}`;
      assert.equal((await berthNfs("put", `${local}/large`, urlOf(server, `/${name}`, ours))).exitCode, 0);
      await check(["nfs-cp", judgeUrl(`/${name}`, theirs), `${local}/${name}`]);
      assert.deepEqual(await readFile(`${local}/${name}`), content);
    });

    // Its version 4 fails to write to Ganesha.
    if (theirs === 4) continue;

    test(`we read by ${ours} what version ${theirs} of it wrote`, async () => {
      const content = Buffer.alloc(3_000_001, "theirs");
      await writeFile(`${local}/source`, content);
      const name = `theirs-${ours}-${theirs}`;
      await check(["nfs-cp", `${local}/source`, judgeUrl(`/${name}`, theirs)]);
      const got = await berthNfs("get", urlOf(server, `/${name}`, ours), `${local}/${name}`);
      assert.equal(got.exitCode, 0, got.stderr);
      assert.deepEqual(await readFile(`${local}/${name}`), content);
    });
  }
});
