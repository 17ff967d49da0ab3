import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { check, run } from "../../src/lab/guest/process.ts";
import { answersNull, rpcReady } from "../../src/lab/guest/rpc-ready.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

function urlOf(server: Ganesha, path: string, version: 3 | 4): string {
  return `nfs://${server.address}${path}?nfsport=${server.nfsPort}&mountport=${server.mountPort}&version=${version}`;
}

test("an export serves NFS 3 and 4 to an independent client", async () => {
  await using server = await startGanesha();
  await writeFile(`${server.directory("data")}/hello`, "hello", { mode: 0o644 });
  assert.equal(await check(["nfs-cat", urlOf(server, "/srv/data/hello", 3)]), "hello");
  assert.equal(await check(["nfs-cat", urlOf(server, "/srv/data/hello", 4)]), "hello");
});

test("two servers run side by side", async () => {
  await using first = await startGanesha();
  await using second = await startGanesha();
  await writeFile(`${second.directory("data")}/hello`, "second", { mode: 0o644 });
  assert.notEqual((await run(["nfs-cat", urlOf(first, "/srv/data/hello", 3)])).exitCode, 0);
  assert.equal(await check(["nfs-cat", urlOf(second, "/srv/data/hello", 3)]), "second");
});

test("its ports are none that the kernel gives to connections, which could take them before it, or between two starts", async () => {
  await using server = await startGanesha();
  const [first = ""] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split("\t");
  for (const port of [server.nfsPort, server.mountPort]) assert.ok(port < Number(first), `${port}`);
});

test("what was written is there after a crash, on the same ports", async () => {
  await using server = await startGanesha();
  await check(["nfs-cp", "/etc/hostname", urlOf(server, "/srv/data/copy", 3)]);
  await server.kill();
  assert.equal(await answersNull(nullOf(server)), false);
  await server.start();
  const copied = await check(["nfs-cat", urlOf(server, "/srv/data/copy", 3)]);
  assert.equal(copied, await readFile("/etc/hostname", "utf8"));
});

test("a stopped server ends as an administrator would have it, and starts again", async () => {
  await using server = await startGanesha();
  await server.stop();
  assert.match(await server.log(), /NFS EXIT: regular exit/);
  await server.start();
  assert.equal(await answersNull(nullOf(server)), true);
});

test("a paused server answers nothing until it is resumed", async () => {
  await using server = await startGanesha();
  await server.pause();
  assert.equal(await answersNull(nullOf(server)), false);
  server.resume();
  await rpcReady(nullOf(server), 60_000);
});

test("exports have their own access, squash, ports and sizes", async () => {
  await using server = await startGanesha({
    exports: [
      { name: "data" },
      { name: "read-only", access: "RO" },
      { name: "squashed", squash: "Root_Squash" },
      { name: "tiny", sizeBytes: 64 * 1024 },
      { name: "elsewhere", clients: ["192.0.2.1"] },
    ],
  });
  const copyTo = async (name: string) =>
    await run(["nfs-cp", process.execPath, urlOf(server, `/srv/${name}/node`, 3)]);
  assert.match((await copyTo("read-only")).stderr, /NFS3ERR_ROFS/);
  assert.match((await copyTo("squashed")).stderr, /NFS3ERR_ACCES/);
  assert.match((await copyTo("tiny")).stderr, /NFS3ERR_NOSPC|Failed to write/);
  assert.match((await copyTo("elsewhere")).stderr, /MNT3ERR_ACCES|MNT3ERR_NOENT/);
  assert.equal((await copyTo("data")).exitCode, 0);
  const { size } = await stat(`${server.directory("data")}/node`);
  assert.equal(size, (await stat(process.execPath)).size);
});

test("a server ends with the process that started it, even when that is killed", async (t) => {
  const script = `
    const { startGanesha } = await import("./ganesha.ts");
    const { nfsPort } = await startGanesha();
    console.log(String(nfsPort));`;
  const owner = spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: import.meta.dirname,
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => owner.kill("SIGKILL")); // a failure would else wait for it for ever
  const [port] = await once(createInterface(owner.stdout), "line");
  const connection = connect(Number(port), "127.0.0.1");
  await once(connection, "connect");
  connection.on("error", () => {}); // a reset is an end too
  const closed = new Promise((resolve) => connection.once("close", resolve));
  owner.kill("SIGKILL");
  await closed;
});

function nullOf(server: Ganesha) {
  return { host: server.address, port: server.nfsPort, program: 100003, version: 3 };
}
