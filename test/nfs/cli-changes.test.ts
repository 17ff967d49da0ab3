/** `berth nfs` where it changes a tree: what it says of a place that is taken, and of work that was cut short. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import { berthNfs, urlOf } from "./berth-nfs.ts";
import { startProxy } from "./faulty-proxy.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";
import { interruptedWhen } from "./interrupted.ts";

const versions = ["3", "4.1"] as const;

describe("a change", () => {
  let server: Ganesha;
  let directory: string;
  let top: string;
  let tops = 0;
  before(async () => {
    server = await startGanesha({ exports: [{ name: "data" }, { name: "small", sizeBytes: 2 ** 20 }] });
  });
  after(async () => await server?.[Symbol.asyncDispose]());
  /** Each test has its own: the server remembers what was changed behind its back. */
  beforeEach(async () => {
    top = `top-${++tops}`;
    directory = `${server.directory("data")}/${top}`;
    await mkdir(`${directory}/tree`, { recursive: true });
    await writeFile(`${directory}/file`, "content");
  });

  const url = (path: string, version?: string) => urlOf(server, `/${top}${path}`, version ?? "4.1");

  for (const version of versions) {
    test(`of a name says over NFS ${version} what is in its way, and moves nothing`, async () => {
      await mkdir(`${directory}/full/child`, { recursive: true });
      for (const [from, to, told] of [
        ["/file", "/tree", /\/tree\?.* is a directory: name a place in it\n$/],
        ["/tree", "/file", /\/file\?.* is there already, and is no directory: remove it/],
        ["/tree", "/full", /\/full\?.* is a directory with something in it: name a place in it\n$/],
        ["/tree", "/tree/self", /a directory does not move to a place below itself/],
        ["/gone", "/new", /"gone" to "new" failed with NOENT/],
      ] as const) {
        const { exitCode, stderr } = await berthNfs("mv", url(from, version), url(to, version));
        assert.equal(exitCode, 1, stderr);
        assert.match(stderr, told);
      }
      assert.deepEqual((await readdir(directory)).sort(), ["file", "full", "tree"]);
      assert.deepEqual(await readdir(`${directory}/full`), ["child"]);
    });
  }

  test("that makes a directory below a file names the file", async () => {
    const { exitCode, stderr } = await berthNfs("mkdir", "-p", url("/file/new"));
    assert.equal(exitCode, 1);
    assert.match(stderr, /\/file is there already, and is no directory\n$/);
  });

  test("that copies onto itself, or goes on there, replaces nothing", async () => {
    await symlink("nowhere", `${directory}/tree/link`);
    const before = await stat(`${directory}/tree`, { bigint: true });
    for (const version of versions) {
      for (const path of ["/tree", "/file"]) {
        const { exitCode, stderr } = await berthNfs(
          ...["cp", "-r", "--resume", url(path, version), url(path, version)],
        );
        assert.deepEqual([exitCode, /is what is to be copied: name another target/.test(stderr)], [2, true]);
      }
    }
    assert.equal(await readFile(`${directory}/file`, "utf8"), "content");
    assert.equal((await stat(`${directory}/tree`, { bigint: true })).mtimeNs, before.mtimeNs);
  });

  test("that is interrupted says how the same command goes on", async () => {
    for (let index = 0; index < 500; index++) await writeFile(`${directory}/tree/${index}`, "");
    const { address, nfsPort, mountPort } = server;
    await using slow = await startProxy({ host: address, port: nfsPort, delayMs: 100 });
    const slowly = (path: string) =>
      urlOf({ address, nfsPort: slow.port, mountPort }, `/${top}${path}`, "4.1");
    const entries = async (name: string) => (await readdir(`${directory}/${name}`).catch(() => [])).length;
    const begun = async () => (await entries("copy")) > 0;
    const copied = await interruptedWhen(begun, "cp", "-r", slowly("/tree"), slowly("/copy"));
    assert.equal(copied.code, 130);
    assert.match(
      copied.stderr,
      /^berth: interrupted: what was copied stays, a file perhaps in part: cp -r --resume goes on; so far: /,
    );
    assert.equal((await berthNfs("cp", "-r", "--resume", url("/tree"), url("/copy"))).exitCode, 0);
    assert.equal(await entries("copy"), 500);
    const fewer = async () => (await entries("copy")) < 500;
    const removed = await interruptedWhen(fewer, "rm", "-r", slowly("/copy"));
    assert.equal(removed.code, 130);
    assert.match(
      removed.stderr,
      /^berth: interrupted: what was removed is gone: the same command removes the rest; so far: /,
    );
    assert.equal((await berthNfs("rm", "-r", url("/copy"))).exitCode, 0);
    assert.deepEqual((await readdir(directory)).sort(), ["file", "tree"]);
  });

  test("that fails in the middle says what is left, and what goes on", async () => {
    await writeFile(`${directory}/large`, Buffer.alloc(3_000_000, "no hole"));
    const small = url("/large").replace(/data\/[^?]*/, "small/large");
    const { exitCode, stderr } = await berthNfs("cp", url("/large"), small);
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /NOSPC.*; what was copied stays, a file perhaps in part: cp --resume goes on; so far: /,
    );
    assert.deepEqual(await readdir(server.directory("small")), ["large"]);
  });

  test("that fails before it has made anything speaks of no part", async () => {
    await rename(`${directory}/file`, `${directory}/other`);
    const taken = await berthNfs("cp", url("/other"), url("/tree"));
    assert.equal(taken.exitCode, 1);
    assert.doesNotMatch(taken.stderr, /what was copied/);
  });
});
