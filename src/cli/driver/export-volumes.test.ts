import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { Effects } from "../../core/call.ts";
import { systemClock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { MountTable } from "../../node/mounts/mount-table.ts";
import { ExportStats, exportStatsLimits } from "../../node/stats/export-stats.ts";
import { unlimited } from "../../volumes/overcommit.ts";
import { ExportVolumes } from "./export-volumes.ts";

const newCall = () => ({ signal: new AbortController().signal, effects: new Effects(), log: silentLog });
const access = { uid: 0, gid: 0, overcommit: unlimited, trashRetentionMs: 0 };

function mountOf(port: number) {
  const line = `2 1 0:9 / /pods/a rw - nfs4 127.0.0.1:/x rw,nosharecache,port=${port}`;
  return MountTable.parse(`1 1 8:1 / / rw - ext4 /dev/sda rw\n${line}`).at("/pods/a");
}

test("the connection to a volume's server ends when the last volume on it leaves the node", async (t) => {
  const server = createServer();
  t.after(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const stats = new ExportStats(systemClock, { ...exportStatsLimits, answerMsMax: 200 });
  const volumes = new ExportVolumes([], silentLog, async () => mountOf(address.port), stats);
  t.after(() => volumes.close());
  const connected = once(server, "connection");
  for (const volumeId of ["a", "b"]) {
    assert.equal((await volumes.stats(volumeId, "/pods/a", newCall()))?.condition.abnormal, true);
  }
  const [socket] = await connected;
  const ended = once(socket.resume(), "close");
  volumes.forget("a");
  volumes.forget("another");
  assert.equal(socket.readyState, "open");
  volumes.forget("b");
  await ended;
});

test("a volume by hand is asked about at the server that its mount is from, though another shares the address", async (t) => {
  const server = createServer();
  t.after(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const location = { server: "127.0.0.1", share: "/x" };
  const exports = [
    { ...access, ...location, name: "a", port: 1 },
    { ...access, ...location, name: "b", port: address.port },
  ];
  const stats = new ExportStats(systemClock, { ...exportStatsLimits, answerMsMax: 200 });
  const volumes = new ExportVolumes(exports, silentLog, async () => mountOf(address.port), stats);
  t.after(() => volumes.close());
  const connected = once(server, "connection", { signal: t.signal });
  await volumes.stats("by-hand", "/pods/a", newCall());
  const [socket] = await connected;
  socket.destroy();
});

test("a volume whose id names a configured export by its place is asked about as the configuration says", async (t) => {
  const server = createServer();
  t.after(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const nas = { ...access, name: "nas", server: "127.0.0.1", share: "/x", port: address.port };
  const stats = new ExportStats(systemClock, { ...exportStatsLimits, answerMsMax: 200 });
  const volumes = new ExportVolumes([nas], silentLog, async () => mountOf(address.port), stats);
  t.after(() => volumes.close());
  const connected = once(server, "connection", { signal: t.signal });
  await volumes.stats("export/nfs/pvc-1/127.0.0.1%3A%2Fx", "/pods/a", newCall());
  const [socket] = await connected;
  socket.destroy();
});

test("an export that cannot be used yet is tried again, and does not keep the node from ending", async () => {
  const nas = {
    ...access,
    name: "nas",
    server: "127.0.0.1",
    share: "/x",
    tls: { caFile: "/nowhere/ca.pem" },
  };
  const volumes = new ExportVolumes([nas], silentLog, async () => mountOf(1));
  const ask = () => volumes.stats("export/nfs/pvc-1/nas", "/pods/a", newCall());
  await assert.rejects(ask(), { code: "invalid-argument", message: /cannot read the certificates/ });
  nas.tls = { caFile: import.meta.filename }; // no certificates, but a file
  assert.equal((await ask())?.condition.abnormal, true);
  await volumes.close();
});
