/** `berth nfs put` and `get`: what they take from this machine, and what they leave behind when they fail. */
import assert from "node:assert/strict";
import { createWriteStream } from "node:fs";
import { access, chmod, chown, mkdir, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { check, run } from "../../src/lab/guest/process.ts";
import { scratchDirectory } from "../../tools/scratch.ts";
import { berthNfs, berthNfsCommand, urlOf } from "./berth-nfs.ts";
import { startProxy } from "./faulty-proxy.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";
import { directoryAttributes, HostileServer, procedure } from "./hostile-server.ts";
import { interruptedWhen } from "./interrupted.ts";
import { accepted, opaque, word } from "./lying-server.ts";

describe("a transfer", () => {
  let server: Ganesha;
  let directory: string;
  let local: string;
  before(async () => {
    server = await startGanesha();
    directory = server.directory("data");
    local = scratchDirectory("transfer");
  });
  after(async () => await server?.[Symbol.asyncDispose]());

  const url = (path: string, version = "4.1") => urlOf(server, path, version);

  test("of a named pipe takes all that comes, whenever it comes", async () => {
    const pipe = join(local, "pipe");
    await check(["mkfifo", pipe]);
    const content = Buffer.alloc(3_000_001, "0123456789");
    for (const version of ["3", "4.1"]) {
      const name = `piped-${version}`; // the server remembers what was removed behind its back
      const putting = berthNfs("put", "--json", pipe, url(`/${name}`, version));
      while (!(await readdir(directory)).includes(name)) await delay(10); // it waits for a writer
      createWriteStream(pipe).end(content);
      const { exitCode, stdout, stderr } = await putting;
      assert.deepEqual([exitCode, JSON.parse(stdout || "{}")], [0, { sizeBytes: content.length }], stderr);
      assert.deepEqual(await readFile(`${directory}/${name}`), content);
    }
    const substituted = berthNfsCommand("put", "FILE", url("/substituted")).map((word) => `'${word}'`);
    const put = await run(["bash", "-c", substituted.join(" ").replace("'FILE'", "<(echo substituted)")]);
    assert.equal(put.exitCode, 0, put.stderr);
    assert.equal(await readFile(`${directory}/substituted`, "utf8"), "substituted\n");
  });

  test("of a pipe that nobody writes to ends with Ctrl-C, and leaves nothing", async () => {
    const pipe = join(local, "silent");
    await check(["mkfifo", pipe]);
    const begun = async () => (await readdir(directory)).includes("never");
    const { code, stderr } = await interruptedWhen(begun, "put", pipe, url("/never"));
    assert.deepEqual([code, stderr], [130, "berth: interrupted: the part that was there is removed\n"]);
    assert.equal(await begun(), false);
  });

  test("to this machine that is interrupted leaves no half of a file, and says so", async () => {
    await writeFile(`${directory}/large`, "");
    await truncate(`${directory}/large`, 200 * 1024 * 1024);
    const { address, nfsPort, mountPort } = server;
    await using slow = await startProxy({ host: address, port: nfsPort, delayMs: 100 });
    const target = join(local, "got");
    const begun = async () =>
      await access(target).then(
        () => true,
        () => false,
      );
    const large = urlOf({ address, nfsPort: slow.port, mountPort }, "/large", "4.1");
    const { code, stderr } = await interruptedWhen(begun, "get", large, target);
    assert.deepEqual([code, stderr], [130, "berth: interrupted: the part that was there is removed\n"]);
    assert.equal(await begun(), false);
  });

  test("that replaces a file keeps its mode and owner, and the old one until the new one is whole", async () => {
    for (const version of ["3", "4.1"]) {
      const name = `replaced-${version}`;
      await writeFile(`${directory}/${name}`, "the old one");
      await chown(`${directory}/${name}`, 1000, 1001);
      await chmod(`${directory}/${name}`, 0o640);
      const failed = await berthNfs("put", "--replace", "/proc/self/mem", url(`/${name}`, version));
      assert.equal(failed.exitCode, 1);
      assert.match(failed.stderr, /; what has this name is as it was\n$/);
      assert.equal(await readFile(`${directory}/${name}`, "utf8"), "the old one");
      const put = await berthNfs("put", "--replace", import.meta.filename, url(`/${name}`, version));
      assert.equal(put.exitCode, 0, put.stderr);
      assert.deepEqual(await readFile(`${directory}/${name}`), await readFile(import.meta.filename));
      const { mode, uid, gid } = await stat(`${directory}/${name}`);
      assert.deepEqual([mode & 0o7777, uid, gid], [0o640, 1000, 1001]);
    }
    const whole = await berthNfs("put", "--replace", import.meta.filename, url("/new"));
    assert.equal(whole.exitCode, 0, whole.stderr);
    await mkdir(`${directory}/there`);
    const taken = await berthNfs("put", "--replace", import.meta.filename, url("/there"));
    assert.deepEqual([taken.exitCode, /is a directory: name a file in it/.test(taken.stderr)], [2, true]);
    const left = (await readdir(directory)).filter((name) => name.startsWith(".berth"));
    assert.deepEqual(left, []);
  });

  test("that fails says that the part was removed", async () => {
    const { exitCode, stderr } = await berthNfs("put", "/proc/self/mem", url("/unreadable"));
    assert.equal(exitCode, 1);
    assert.match(stderr, /local path \/proc\/self\/mem: .*; the part that was there is removed\n$/);
    assert.equal((await readdir(directory)).includes("unreadable"), false);
  });
});

test("a put whose part cannot be removed either says where to look for it", async () => {
  await using server = new HostileServer();
  await server.listen();
  const [noEntry, io, noSpace] = [2, 5, 28];
  const file = Buffer.concat([word(1), directoryAttributes.subarray(4)]);
  server.answer(procedure.lookup, accepted(word(noEntry, 0)));
  server.answer(procedure.create, accepted(word(0, 1), opaque("file"), word(1), file, word(0, 0)));
  server.answer(procedure.write, accepted(word(noSpace, 0, 0)));
  server.answer(procedure.remove, accepted(word(io, 0, 0)));
  const url = `nfs://127.0.0.1:${server.port}/srv/data/new?version=3&mountPort=${server.port}`;
  const { exitCode, stderr } = await berthNfs("put", import.meta.filename, url);
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    /failed with NOSPC: .*; a part may be left: look for nfs:.*\/new\?.* and remove it\n$/,
  );
});
