/** What is promised and used on a real NFS export, as controller and node tell it. */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseConfig } from "../../src/cli/config/config.ts";
import { exportShare } from "../../src/cli/driver/export-share.ts";
import { ExportVolumes } from "../../src/cli/driver/export-volumes.ts";
import { systemClock } from "../../src/core/clock.ts";
import { silentLog } from "../../src/core/log.ts";
import { randomNonce } from "../../src/core/nonce.ts";
import { MountTable } from "../../src/node/mounts/mount-table.ts";
import { ExportStats, exportStatsLimits } from "../../src/node/stats/export-stats.ts";
import type { ShareContext } from "../../src/volumes/context.ts";
import { Reaper } from "../../src/volumes/reaper.ts";
import { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import { usagePaceDefaults } from "../../src/volumes/usage/usage-plan.ts";
import { UsageScanner } from "../../src/volumes/usage/usage-scanner.ts";
import { type Ganesha, startGanesha } from "../nfs/ganesha.ts";
import { creation, rpc, volumesIn } from "../support/edge-controller-harness.ts";
import { newCall, requestFor } from "../support/volume-fixture.ts";
import { configurationOf, startExportController } from "./controller-fixture.ts";

const mib = 2n ** 20n;
const { signal } = new AbortController();
const parameters = { type: "export", export: "nas" };
const target = "/var/lib/kubelet/pods/p/volumes/kubernetes.io~csi/pvc-1/mount";
const table = MountTable.parse(
  `1 1 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:50 / ${target} rw - nfs4 127.0.0.1:/srv/data/pvc-1 rw\n`,
);

type Version = "3" | "4.1";

const sized = (name: string, bytes: bigint) =>
  creation(name, { parameters, capacityRange: { requiredBytes: bytes } });

/** The export, as the controller's work in the background sees it. */
function background(t: test.TestContext, server: Ganesha, version: Version, more = ""): ShareContext {
  const [nas] = parseConfig(configurationOf(server, version) + more, "test.yaml").exports;
  assert.ok(nas);
  const share = exportShare("nas", nas, nas, silentLog);
  t.after(() => share.close());
  return { share, owner: { cluster: "test", driver: "d.test" }, clock: systemClock, newNonce: randomNonce };
}

function onNode(
  t: test.TestContext,
  server: Ganesha,
  version: Version,
  limits = exportStatsLimits,
): ExportVolumes {
  const { exports } = parseConfig(configurationOf(server, version), "test.yaml");
  const stats = new ExportStats(systemClock, limits);
  const volumes = new ExportVolumes(exports, silentLog, async (_, path) => table.at(path), stats);
  t.after(() => volumes.close());
  return volumes;
}

for (const version of ["3", "4.1"] as const) {
  test(`over NFS ${version} no more is promised than overcommit allows, and deletion gives it back (csi-driver-nfs #427)`, async (t) => {
    const more = '    overcommit: "1.5"\n'; // of 1 GiB
    const { client, server } = await startExportController(t, { version, more });
    const data = server.directory("data");
    const create = (name: string, size: bigint) => client.call(rpc.createVolume, sized(name, size * mib));
    const left = async () => (await client.call(rpc.getCapacity, { parameters })).response;

    assert.equal((await create("pvc-1", 1000n)).code, "OK");
    assert.deepEqual((await left())?.availableCapacity, 536n * mib);
    assert.equal((await left())?.maximumVolumeSize, 536n * mib);
    const refused = await create("pvc-2", 537n);
    assert.equal(refused.code, "RESOURCE_EXHAUSTED");
    assert.ok(refused.response === undefined);
    assert.match(
      refused.details,
      /overcommit 1\.5 times the capacity of 1073741824 bytes \(1 GiB\); 562036736 bytes \(536 MiB\) are left/,
    );
    assert.deepEqual(volumesIn(data), ["pvc-1"]);
    assert.deepEqual(readdirSync(join(data, ".berth/volumes")), ["pvc-1"]);
    for (const directory of ["staging", "trash"])
      assert.deepEqual(readdirSync(join(data, ".berth", directory)), []);

    assert.equal((await create("pvc-2", 500n)).code, "OK");
    const volumeId = "export/nfs/pvc-2/nas";
    const grow = (requiredBytes: bigint) =>
      client.call(rpc.controllerExpandVolume, { volumeId, capacityRange: { requiredBytes } });
    assert.equal((await grow(537n * mib)).code, "RESOURCE_EXHAUSTED");
    assert.equal((await grow(536n * mib)).code, "OK");

    await client.call(rpc.deleteVolume, { volumeId: "export/nfs/pvc-1/nas" });
    assert.equal((await create("pvc-3", 1000n)).code, "RESOURCE_EXHAUSTED");
    const context = background(t, server, version);
    await new Reaper(context, { intervalMs: 1, stagingGraceMs: 3_600_000 }, silentLog).pass(signal);
    assert.equal((await create("pvc-3", 1000n)).code, "OK");
    assert.equal((await left())?.availableCapacity, 0n);
  });

  test(`over NFS ${version} a node tells what a volume takes, also while the server is silent (csi-driver-nfs #517)`, async (t) => {
    const { client, server } = await startExportController(t, { version });
    const data = server.directory("data");
    const made = await client.call(rpc.createVolume, sized("pvc-1", 100n * mib));
    const volumeId = made.response?.volume?.volumeId ?? "";
    const limits = { ...exportStatsLimits };
    const node = onNode(t, server, version, limits);
    const stats = async () => await node.stats(volumeId, target, newCall());

    const first = await stats();
    assert.equal(first?.usage?.usedBytes, 0n);
    assert.match(first?.condition.message ?? "", /never measured yet/);

    writeFileSync(join(data, "pvc-1/file"), Buffer.alloc(Number(10n * mib), "x"));
    const scanner = new UsageScanner(background(t, server, version), usagePaceDefaults, silentLog);
    assert.equal((await scanner.round(signal)).measured, 1);
    assert.ok(existsSync(join(data, ".berth/volumes/pvc-1/usage.json")));
    const second = await stats();
    const used = second?.usage?.usedBytes ?? 0n;
    assert.ok(used >= 10n * mib && used < 11n * mib, `${used} bytes`);
    assert.deepEqual(
      [second?.usage?.totalBytes, second?.usage?.availableBytes],
      [100n * mib, 100n * mib - used],
    );
    assert.equal(second?.usage?.usedInodes, 2n);

    const { response } = await client.call(rpc.controllerGetVolume, { volumeId });
    assert.equal(response?.status?.volumeCondition?.abnormal, false);
    assert.match(response.status.volumeCondition.message, /of 104857600 bytes used in 2 files/);

    await server.pause();
    limits.answerMsMax = 1000; // only a server that does not answer has so little time
    const silent = await stats();
    server.resume();
    assert.deepEqual(silent?.usage, second?.usage);
    assert.equal(silent?.condition.abnormal, true);
    assert.match(silent.condition.message, /has not answered for 1000 ms/);
  });
}

test("a path at which nothing is mounted is not found, and another driver's id is not asked about", async (t) => {
  const { server } = await startExportController(t);
  const node = onNode(t, server, "4.1");
  for (const path of ["some/path", "/", "/var/lib/kubelet/pods/p"])
    await assert.rejects(node.stats("export/nfs/pvc-1/nas", path, newCall()), { code: "not-found" });
  assert.equal(await node.stats("directory/bind/pvc-1/default", target, newCall()), undefined);
});

test("of a static volume the mount tells where it is, and the answer that the figures are the whole share's", async (t) => {
  const { server } = await startExportController(t);
  mkdirSync(join(server.directory("data"), "by-hand"));
  const line = `2 1 0:50 / ${target} rw - nfs4 127.0.0.1:/srv/data/by-hand rw,port=${server.nfsPort}`;
  const mounted = MountTable.parse(`1 1 8:1 / / rw - ext4 /dev/sda rw\n${line}\n`);
  for (const exports of [[], parseConfig(configurationOf(server, "4.1"), "test.yaml").exports]) {
    const volumes = new ExportVolumes(exports, silentLog, async (_, path) => mounted.at(path));
    t.after(() => volumes.close());
    const found = await volumes.stats("my-own-handle", target, newCall());
    assert.match(found?.condition.message ?? "", /the figures of the whole share.*has no record/);
    assert.equal(found?.usage?.totalBytes, 1024n * mib);
    assert.equal(await volumes.stats("my-own-handle", "/", newCall()), undefined);
  }
});

test("what others own and close is measured too, where the server squashes root", async (t) => {
  const options = { exports: [{ name: "data", squash: "Root_Squash" as const }] };
  const server = await startGanesha(options);
  t.after(() => server[Symbol.asyncDispose]());
  const data = server.directory("data");
  chownSync(data, 1000, 1000);
  const more = "    uid: 1000\n    gid: 1000\n";
  const context = background(t, server, "4.1", more);
  await new ShareVolumes(context).create(newCall(), requestFor("pvc-1"));
  mkdirSync(join(data, "pvc-1/theirs"));
  writeFileSync(join(data, "pvc-1/theirs/file"), Buffer.alloc(1_000_000, "x"));
  chownSync(join(data, "pvc-1/theirs"), 2000, 2000);
  chmodSync(join(data, "pvc-1/theirs"), 0o700);
  await new UsageScanner(context, usagePaceDefaults, silentLog).round(signal);
  const text = readFileSync(join(data, ".berth/volumes/pvc-1/usage.json"), "utf8");
  const { usedInodes, approximate }: Record<string, unknown> = JSON.parse(text);
  assert.deepEqual([usedInodes, approximate], ["3", false]);
});

test("the record of usage is a whole file that a person can read", async (t) => {
  const { client, server } = await startExportController(t);
  await client.call(rpc.createVolume, sized("pvc-1", mib));
  await new UsageScanner(background(t, server, "4.1"), usagePaceDefaults, silentLog).round(signal);
  const text = readFileSync(join(server.directory("data"), ".berth/volumes/pvc-1/usage.json"), "utf8");
  const record: Record<string, unknown> = JSON.parse(text);
  assert.deepEqual(Object.keys(record), [
    "schema",
    "nonce",
    "usedBytes",
    "usedInodes",
    "measuredAt",
    "durationMs",
    "approximate",
    "quietRounds",
    "nextAt",
  ]);
});
