/** Inline volumes: what a node knows of them, when calls and files are not as they should be. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silentLog } from "../src/core/log.ts";
import { volumeNameOf } from "../src/core/volume-id.ts";
import { type EphemeralRecord, EphemeralRecords } from "../src/node/ephemeral/ephemeral-records.ts";
import { EphemeralVolumes } from "../src/node/ephemeral/ephemeral-volumes.ts";
import { MountTable, readMountTable } from "../src/node/mounts/mount-table.ts";
import { MountWork } from "../src/node/mounts/mount-work.ts";
import { NodeFixture, newCall } from "./support/node-fixture.ts";

const volumeId = `csi-${"a".repeat(64)}`;
const access = { uid: 0, gid: 0, tls: false };

/** Two exports, on which nothing is made. */
function setUp(node: NodeFixture, readTable = readMountTable) {
  const records = new EphemeralRecords(join(node.root, "records"));
  const exportOf = (share: string) => ({ server: "nas", share, access });
  const made: string[] = [];
  const known: (EphemeralRecord | undefined)[] = [];
  const note = async (what: string): Promise<never> => {
    made.push(what);
    known.push(await records.read(volumeId));
    throw new Error("nothing is made here");
  };
  const volumes = new EphemeralVolumes({
    work: new MountWork({ helpers: node.helpers, kubeletDir: node.kubelet, readTable }),
    records,
    shares: { check: async () => {}, create: () => note("create"), delete: () => note("delete") },
    known: { directories: new Map(), exports: new Map([exportNamed("one"), exportNamed("two")]) },
    allowed: ["one", "two"],
  });
  function exportNamed(name: string) {
    return [name, exportOf(`/${name}`)] as const;
  }
  const publish = (pod: string, name: string) => {
    const request = { volumeId, context: { export: name }, readOnly: false, mountFlags: [] };
    return volumes.publish({ ...request, targetPath: node.target(pod) }, newCall());
  };
  return { records, volumes, publish, made, known };
}

const recordOf = (targetPath: string) => ({ volumeId, export: "one", targetPath, pod: "", createdAt: "" });

for (const [pod, name, code] of [
  ["b", "one", "failed-precondition"],
  ["a", "two", "already-exists"],
] as const) {
  test(`the volume of a pod is not published at ${pod} from ${name} when it is at a from one`, async () => {
    using node = new NodeFixture();
    const { records, publish, made } = setUp(node);
    await records.write(recordOf(node.target("a")));
    await assert.rejects(publish(pod, name), { code, message: /unpublish it there first/ });
    assert.deepEqual(made, []);
    assert.deepEqual(await records.read(volumeId), { schema: 1, ...recordOf(node.target("a")) });
  });
}

test("a pod's volume is known to its node before anything of it is written to the share, and is swept if that is all", async () => {
  using node = new NodeFixture();
  const { records, publish, volumes, made, known } = setUp(node);
  await assert.rejects(publish("a", "one"), /nothing is made here/);
  assert.deepEqual(made, ["create"]);
  const [record] = known;
  assert.deepEqual(
    [record?.volumeId, record?.export, record?.targetPath],
    [volumeId, "one", node.target("a")],
  );
  assert.deepEqual(await records.read(volumeId), record);
  await volumes.sweep(newCall());
  assert.deepEqual(made, ["create", "delete"]);
});

test("a record that was edited by hand does not delete what a pod has mounted", async () => {
  using node = new NodeFixture();
  const source = `nas:/one/${volumeNameOf(volumeId)}`;
  const table = MountTable.parse(
    `1 1 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:9 / ${node.target("a")} rw - nfs4 ${source} rw,nosharecache`,
  );
  const { records, volumes, made } = setUp(node, async () => table);
  await records.write(recordOf(node.target("gone")));
  await volumes.sweep(newCall());
  await volumes.unpublish(volumeId, node.target("gone"), newCall());
  assert.deepEqual(made, []);
  assert.notEqual(await records.read(volumeId), undefined);
});

test("what lies among the records and is none keeps no other from being looked after", async () => {
  using node = new NodeFixture();
  const { records, volumes, made } = setUp(node);
  await records.write(recordOf(node.target("gone")));
  const directory = join(node.root, "records");
  mkdirSync(join(directory, "0.json"));
  mkdirSync(join(directory, "0.tmp"));
  writeFileSync(join(directory, "1.json"), '{"schema": 1, "volumeId": "csi-');
  writeFileSync(join(directory, "1.tmp"), "");
  writeFileSync(
    join(directory, `csi-${"b".repeat(64)}.json`),
    readFileSync(join(directory, `${volumeId}.json`)),
  );
  await volumes.sweep(newCall());
  assert.deepEqual(made, ["delete"]);
  assert.equal(readdirSync(directory).includes("1.tmp"), false);
});

test("a look at the records leaves those that are being written", async () => {
  using node = new NodeFixture();
  const { records } = setUp(node);
  let isDone = false;
  const looks = (async () => {
    while (!isDone) await records.list(silentLog);
  })();
  try {
    for (let time = 0; time < 50; time++) await records.write(recordOf(node.target(`${time}`)));
  } finally {
    isDone = true;
    await looks;
  }
  assert.equal((await records.read(volumeId))?.targetPath, node.target("49"));
});
