/** What a claim hears of a server that has stopped to answer, and what becomes of the volume (democratic-csi #232 #126). */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../src/core/clock.ts";
import { silentLog } from "../../src/core/log.ts";
import { randomNonce } from "../../src/core/nonce.ts";
import { NfsShare } from "../../src/share/nfs-share.ts";
import { layoutPaths } from "../../src/volumes/layout.ts";
import { Reaper } from "../../src/volumes/reaper.ts";
import { creation, rpc, volumesIn } from "../support/edge-controller-harness.ts";
import { type ExportFixture, startExportController } from "./controller-fixture.ts";

/** What csi-provisioner gives a call unless it is told otherwise. */
const timeoutMs = 10_000;
const parameters = { type: "export", export: "nas" };
const silent = /share nas \(127\.0\.0\.1:\/srv\/data\): no answer for \d+ s: .*the server is silent/;

for (const version of ["3", "4.1"] as const) {
  test(`over NFS ${version} a claim hears within its deadline that the server is silent, and no volume stays locked`, async (t) => {
    const fixture = await startExportController(t, { version });
    const { client, server } = fixture;
    const create = (name: string, ms = timeoutMs) =>
      client.call(rpc.createVolume, creation(name, { parameters }), { timeoutMs: ms });
    assert.equal((await create("pvc-0")).code, "OK");

    await server.pause();
    const answers = await Promise.all([
      create("pvc-1"),
      client.call(rpc.deleteVolume, { volumeId: idOf("pvc-0") }),
      client.call(rpc.listVolumes, {}, { timeoutMs }),
    ]);
    for (const answer of answers) assertSilent(answer);
    // With a shorter deadline a busy machine may answer too late, but says nothing else: the volume is not locked.
    assert.match((await create("pvc-1", 2500)).code, /^(UNAVAILABLE|DEADLINE_EXCEEDED)$/);
    server.resume();

    assert.equal((await create("pvc-1")).code, "OK");
    assert.equal((await client.call(rpc.deleteVolume, { volumeId: idOf("pvc-0") })).code, "OK");
    assert.deepEqual(volumesIn(server.directory("data")), ["pvc-1"]);
    // A server does what it was asked for while it was silent, and nobody knows the directory that it then builds.
    await reap(fixture, version);
    assert.deepEqual(readdirSync(join(server.directory("data"), ".berth/staging")), []);
  });

  test(`over NFS ${version} a server that falls silent amid many creations and deletions leaves no half of any`, async (t) => {
    const fixture = await startExportController(t, { version });
    const { client, server } = fixture;
    const names = (prefix: string) => Array.from({ length: 20 }, (_, index) => `${prefix}-${index}`);
    const create = (name: string) =>
      client.call(rpc.createVolume, creation(name, { parameters }), { timeoutMs });
    const remove = (name: string) => client.call(rpc.deleteVolume, { volumeId: idOf(name) }, { timeoutMs });
    await Promise.all(names("old").map(create));

    const calls = [...names("new").map(create), ...names("old").map(remove)];
    await Promise.any(calls.map(async (call) => assert.equal((await call).code, "OK")));
    await server.pause();
    const answers = await Promise.all(calls);
    for (const answer of answers) if (answer.code !== "OK") assertUnavailable(answer);
    assert.ok(
      answers.some(({ code }) => code !== "OK"),
      "it was paused amid them",
    );
    server.resume();

    for (const answer of await Promise.all(names("new").map(create))) assert.equal(answer.code, "OK");
    for (const answer of await Promise.all(names("old").map(remove))) assert.equal(answer.code, "OK");
    assert.deepEqual(volumesIn(server.directory("data")).sort(), names("new").sort());
    for (const answer of await Promise.all(names("new").map(remove))) assert.equal(answer.code, "OK");
    await reap(fixture, version);
    assert.deepEqual(left(server.directory("data")), []);
  });
}

test("a claim that meets a server's grace period hears of that, and is met after it", async (t) => {
  const { client, server } = await startExportController(t, { leaseSeconds: 10, graceSeconds: 10 });
  const told: string[] = [];
  const created = async (name: string): Promise<void> => {
    const create = () => client.call(rpc.createVolume, creation(name, { parameters }), { timeoutMs: 3000 });
    for (let answer = await create(); answer.code !== "OK"; answer = await create()) {
      assertUnavailable(answer);
      told.push("details" in answer ? answer.details : "");
    }
  };
  await created("pvc-1");
  await server.kill();
  await server.start();
  await created("pvc-2");
  assert.ok(
    told.some((text) => /share nas .*waits for clients to come back/.test(text)),
    told.join("\n"),
  );
  assert.deepEqual(volumesIn(server.directory("data")).sort(), ["pvc-1", "pvc-2"]);
});

test("one dead export fails ListVolumes with its name, takes no room from the others, and says so", async (t) => {
  const more =
    '  - name: dead\n    server: 127.0.0.1\n    share: /srv/dead\n    port: 1\n    nfsVersion: "4.1"\n';
  const { client, log } = await startExportController(t, { more });
  const listed = await client.call(rpc.listVolumes, {});
  assert.equal(listed.code, "UNAVAILABLE");
  assert.match(
    listed.response === undefined ? listed.details : "",
    /volumes of share dead .* cannot be listed.*nothing listens/,
  );
  const one = await client.call(rpc.getCapacity, { parameters });
  const all = await client.call(rpc.getCapacity, {});
  assert.ok(one.response !== undefined && one.response.availableCapacity > 0n);
  assert.equal(all.response?.availableCapacity, one.response.availableCapacity);
  assert.match(log.text, /GetCapacity counts no room on share dead/);
  const dead = { type: "export", export: "dead" };
  assert.equal((await client.call(rpc.getCapacity, { parameters: dead })).code, "UNAVAILABLE");
});

type Answer = Awaited<ReturnType<ExportFixture["client"]["call"]>>;

function assertUnavailable(answer: Answer): void {
  assert.equal(answer.code, "UNAVAILABLE", JSON.stringify(answer));
}

function assertSilent(answer: Answer): void {
  assertUnavailable(answer);
  assert.match("details" in answer ? answer.details : "", silent);
}

function idOf(name: string): string {
  return `export/nfs/${name}/nas`;
}

/** What is on the share besides what every share has. */
function left(data: string): string[] {
  const folders = ["volumes", "staging", "trash", "paths", "kept"];
  return [...volumesIn(data), ...folders.flatMap((folder) => readdirSync(join(data, ".berth", folder)))];
}

async function reap({ server }: ExportFixture, version: "3" | "4.1"): Promise<void> {
  const { address: host, nfsPort: port, mountPort } = server;
  const connect = { host, port, mountPort, path: "/srv/data", versions: [version] };
  const share = new NfsShare({ name: "nas", connect, kept: layoutPaths });
  const owner = { cluster: "test", driver: "d.test" };
  const context = { share, owner, clock: systemClock, newNonce: randomNonce };
  try {
    const reaper = new Reaper(context, { intervalMs: 1, stagingGraceMs: 0 }, silentLog);
    await reaper.pass(new AbortController().signal);
  } finally {
    await share.close();
  }
}
