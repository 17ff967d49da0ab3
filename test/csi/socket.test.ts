/** The Unix socket that the driver listens on: its mode, what stood there before, and its end. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
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
    refusal(/missing.csi\.sock cannot be made: there is no .*missing: make it/),
  );
});

test("a directory that this user may not write to, or not reach, is told as that", async (t) => {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o755);
  chmodSync(dirname(directory), 0o755);
  mkdirSync(join(directory, "closed/below"), { recursive: true });
  chmodSync(join(directory, "closed"), 0o700);
  assert.match(
    refusedTo(nobody, join(directory, "csi.sock")),
    /csi\.sock failed with EACCES: this user must be able to write to /,
  );
  assert.match(
    refusedTo(nobody, join(directory, "closed/below/csi.sock")),
    /csi\.sock cannot be made \(EACCES\): this user must be able to reach .*closed\/below/,
  );
});

const nobody = 65534;

/** What another user is told of the socket. */
function refusedTo(uid: number, path: string): string {
  const module = JSON.stringify(join(import.meta.dirname, "../../src/csi/unix-socket.ts"));
  // Loaded as root: the sources need not be readable for others.
  const script = `
    import { createServer } from "node:net";
    import { listenOnUnixSocket } from ${module};
    process.setgroups([]); process.setgid(${uid}); process.setuid(${uid});
    await listenOnUnixSocket(createServer(), ${JSON.stringify(path)}).catch((error) => console.log(error.message));`;
  return execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
}

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
