/** The Unix socket that the driver listens on: its mode, what stood there before, and its end. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { BerthError } from "../../src/core/errors.ts";
import { listenOnUnixSocket } from "../../src/csi/unix-socket.ts";
import { Identity } from "../../src/gen/csi/v1/csi_pb.ts";
import { EdgeClient, ready, startEdge, temporaryDirectory } from "../support/edge-harness.ts";

test("the socket is for its owner and group, whatever the umask, which stays", async (t) => {
  const umask = process.umask(0);
  t.after(() => process.umask(umask));
  const { socketPath } = await startEdge(t, { identity: ready });
  assert.equal(lstatSync(socketPath).mode & 0o777, 0o660);
  assert.equal(process.umask(), 0);
});

test("a socket that a killed process left behind is replaced", async (t) => {
  const path = join(temporaryDirectory(t), "csi.sock");
  const killed = spawn(process.execPath, [
    "-e",
    `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`,
  ]);
  await once(killed, "exit");
  assert.ok(lstatSync(path).isSocket());
  await startEdge(t, { identity: ready }, { endpoint: { kind: "unix", path } });
  const client = new EdgeClient(`unix://${path}`);
  t.after(() => client.close());
  assert.equal((await client.call(Identity.method.probe, {})).code, "OK");
});

test("a socket that somebody listens on is left to them", async (t) => {
  const { socketPath, client } = await startEdge(t, { identity: ready });
  await assert.rejects(listenOnUnixSocket(createServer(), socketPath), refusal(/is in use: another process/));
  assert.equal((await client.call(Identity.method.probe, {})).code, "OK");
});

test("a file that is no socket is left as it is", async (t) => {
  const path = join(temporaryDirectory(t), "csi.sock");
  writeFileSync(path, "precious");
  await assert.rejects(listenOnUnixSocket(createServer(), path), refusal(/is a file that is no socket/));
  assert.ok(existsSync(path));
});

test("a directory in its place is left as it is", async (t) => {
  const path = join(temporaryDirectory(t), "csi.sock");
  mkdirSync(path);
  await assert.rejects(listenOnUnixSocket(createServer(), path), refusal(/no socket/));
  assert.ok(lstatSync(path).isDirectory());
});

test("a directory that is missing is named", async (t) => {
  const path = join(temporaryDirectory(t), "missing", "csi.sock");
  await assert.rejects(
    listenOnUnixSocket(createServer(), path),
    refusal(/missing.csi\.sock failed with E[A-Z]+: /),
  );
});

function refusal(message: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof BerthError && error.code === "failed-precondition" && message.test(error.message);
}

test("a port that somebody listens on is left to them", async (t) => {
  const first = await startEdge(
    t,
    { identity: ready },
    { endpoint: { kind: "tcp", host: "127.0.0.1", port: 0 } },
  );
  await assert.rejects(startEdge(t, { identity: ready }, { endpoint: first.server.endpoint }), {
    code: "failed-precondition",
    message: /^127\.0\.0\.1:\d+ is in use: another process listens on it; stop it, or name another port$/,
  });
  assert.equal((await first.client.call(Identity.method.probe, {})).code, "OK");
});
