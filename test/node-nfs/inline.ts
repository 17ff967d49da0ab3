/** Inline volumes: made with their pod, gone with it, also after a crash, a dead server and a reboot. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { before, test } from "node:test";
import { VolumeUsage_Unit as Unit } from "../../src/gen/csi/v1/csi_pb.ts";
import { type NodeNfsFixture, share } from "./fixture.ts";
import { type NodeGuest, type NodeVolume, targetPathOf } from "./node-guest.ts";
import { sharedFixture } from "./shared-fixture.ts";

let fixture: NodeNfsFixture;
let node: NodeGuest;

before(async () => {
  fixture = await sharedFixture();
  node = fixture.node;
});

const ok = { code: "OK", message: "" };

/** As kubelet names it (pkg/volume/csi/csi_util.go, `makeVolumeHandle`). */
function inline(pod: string, attributes: Readonly<Record<string, string>> = {}): NodeVolume {
  const volumeId = `csi-${createHash("sha256").update(pod).digest("hex")}`;
  const ofKubelet = { "csi.storage.k8s.io/ephemeral": "true", "csi.storage.k8s.io/pod.namespace": "default" };
  return { volumeId, volumeContext: { ...ofKubelet, ...attributes } };
}

/** As kubelet, which asks again while the plugin, just started, looks whether the volume was left behind. */
async function publish(volume: NodeVolume, pod: string) {
  for (;;) {
    const ended = await node.publish(volume, pod, { stagingPath: "" });
    if (ended.code !== "ABORTED") return ended;
  }
}

/** The directories of inline volumes on the share, and their records. */
const onShare = async () =>
  (await fixture.storage.check(`cd ${share}; ls; ls .berth/volumes 2>/dev/null || :`))
    .split("\n")
    .filter((name) => name.startsWith("csi-"));
const records = async () =>
  (await node.guest.check("ls /run/kubelet/plugins/csi.berth.dev/ephemeral 2>/dev/null || :"))
    .split("\n")
    .filter(Boolean);

test("publish makes a directory and mounts it, unpublish takes both away; both may be repeated", async () => {
  const volume = inline("a", { export: "nas", mode: "0700", uid: "1000", gid: "1001" });
  for (let time = 0; time < 2; time++) assert.deepEqual(await publish(volume, "a"), ok);
  assert.equal(await node.guest.check(`stat -c '%a %u %g' ${targetPathOf("a")}`), "700 1000 1001\n");
  await node.guest.check(
    `setpriv --reuid 1000 --clear-groups sh -c 'echo hello > ${targetPathOf("a")}/file'`,
  );
  const [mount] = await node.mounts();
  assert.match(mount?.source ?? "", new RegExp(`^${fixture.storage.address}:${share}/csi-`));
  assert.equal((await records()).length, 1);
  for (let time = 0; time < 2; time++) assert.deepEqual(await node.unpublish(volume, "a"), ok);
  assert.deepEqual([await node.mounts(), await onShare(), await records()], [[], [], []]);
  await node.guest.check(`[ ! -e ${targetPathOf("a")} ]`);
});

test("its figures are its own, never silently those of the whole share", async () => {
  const volume = inline("s");
  assert.deepEqual(await publish(volume, "s"), ok);
  const { usage, volumeCondition } = await node.figures(volume, "s");
  assert.equal(volumeCondition?.abnormal, false);
  assert.match(
    volumeCondition.message,
    /^usage never measured yet: .*; an inline volume has no size: available is/,
  );
  assert.deepEqual(
    usage.map(({ used }) => used),
    [0n, 0n],
  );
  await fixture.measureUsage();
  const measured = await node.figures(volume, "s");
  assert.match(
    measured.volumeCondition?.message ?? "",
    /^measured [0-9]+ s ago; an inline volume has no size/,
  );
  assert.equal(measured.usage.find(({ unit }) => unit === Unit.INODES)?.used, 1n);
  assert.deepEqual(await node.unpublish(volume, "s"), ok);
});

test("a pod's volume survives a restart of the plugin, and goes with the pod", async () => {
  const volume = inline("b");
  assert.deepEqual(await publish(volume, "b"), ok);
  await node.guest.check(`echo hello > ${targetPathOf("b")}/file`);
  await node.restartPlugin();
  assert.deepEqual(await publish(volume, "b"), ok);
  assert.equal(await node.guest.check(`cat ${targetPathOf("b")}/file`), "hello\n");
  assert.deepEqual(await node.unpublish(volume, "b"), ok);
  assert.deepEqual([await node.mounts(), await onShare(), await records()], [[], [], []]);
});

test("what a reboot left is removed at the start, if the pod has gone, and kept if it has not", async () => {
  const [gone, kept] = [inline("gone"), inline("kept")];
  assert.deepEqual(await publish(gone, "gone"), ok);
  assert.deepEqual(await publish(kept, "kept"), ok);
  await node.guest.check(`echo hello > ${targetPathOf("kept")}/file`);
  // A reboot takes the mounts; kubelet has removed the directory of the pod that is not to come back.
  await node.guest.check(
    `umount ${targetPathOf("gone")} ${targetPathOf("kept")}; rm -r /run/kubelet/pods/gone`,
  );
  await node.restartPlugin();
  await node.guest.check(
    "while [ -e /run/kubelet/plugins/csi.berth.dev/ephemeral/" +
      `${gone.volumeId}.json ]; do sleep 0.05; done`,
  );
  assert.deepEqual(await records(), [`${kept.volumeId}.json`]);
  assert.equal((await onShare()).length, 2); // its directory and its record
  assert.deepEqual(await publish(kept, "kept"), ok);
  assert.equal(await node.guest.check(`cat ${targetPathOf("kept")}/file`), "hello\n");
  assert.deepEqual(await node.unpublish(kept, "kept"), ok);
  assert.deepEqual([await onShare(), await records()], [[], []]);
});

test("no other volume's id takes a pod's volume away, and no other target has it too", async () => {
  const volume = inline("f");
  assert.deepEqual(await publish(volume, "f"), ok);
  for (const volumeId of [inline("g").volumeId, "by-hand", "export/nfs/pvc-f/nas"]) {
    const ended = await node.unpublish({ volumeId, volumeContext: {} }, "f");
    assert.equal(ended.code, "FAILED_PRECONDITION", volumeId);
  }
  assert.equal((await publish(volume, "h")).code, "FAILED_PRECONDITION");
  assert.deepEqual(await node.unpublish(volume, "h"), ok);
  await node.guest.check(`echo hello > ${targetPathOf("f")}/file`);
  assert.deepEqual(await node.unpublish(volume, "f"), ok);
  assert.deepEqual([await node.mounts(), await onShare(), await records()], [[], [], []]);
});

test("a pod goes although the server does not answer, and the directory once it does", async () => {
  const volume = inline("c");
  assert.deepEqual(await publish(volume, "c"), ok);
  await fixture.storage.guest.pause();
  try {
    assert.deepEqual(await node.unpublish(volume, "c"), ok);
    assert.deepEqual(await node.mounts(), []);
    assert.equal((await records()).length, 1);
  } finally {
    await fixture.storage.guest.resume();
  }
  await node.restartPlugin();
  await node.guest.check(
    "while ls /run/kubelet/plugins/csi.berth.dev/ephemeral/*.json >/dev/null 2>&1; do sleep 0.05; done",
  );
  assert.deepEqual(await onShare(), []);
});

for (const [what, attributes, message] of [
  ["another export", { export: "other" }, /not for pods.*nas/],
  ["a server of its own", { server: "10.0.0.1", share: "/" }, /"server" is no attribute/],
  ["a directory of its own", { subDir: "pvc-1" }, /"subDir" is no attribute/],
  ["mount options", { mountOptions: "soft" }, /"mountOptions" is no attribute/],
  ["a mode that is none", { mode: "rwx" }, /mode/],
] as const) {
  test(`a pod that asks for ${what} is refused, and nothing is written`, async () => {
    const ended = await publish(inline("d", attributes), "d");
    assert.equal(ended.code, "INVALID_ARGUMENT", ended.message);
    assert.match(ended.message, message);
    assert.deepEqual([await node.mounts(), await onShare(), await records()], [[], [], []]);
  });
}

test("inline volumes are off unless the configuration names exports for them", async () => {
  await node.guest.check("sed -i /^ephemeral/d /run/berth.yaml");
  await node.restartPlugin();
  const ended = await publish(inline("e"), "e");
  assert.equal(ended.code, "FAILED_PRECONDITION");
  assert.match(ended.message, /ephemeral\.exports/);
  assert.deepEqual([await node.mounts(), await onShare(), await records()], [[], [], []]);
});
