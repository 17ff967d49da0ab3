/**
 * The end-to-end cases that csi-driver-nfs is tested by, on Berth: claims, pods and kubelet's calls, real
 * drivers, the kernel's NFS client in each node, the kernel's server on XFS.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import type { Lab } from "../../src/lab/lab.ts";
import type { LabPod } from "../../src/lab/lab-pod.ts";
import {
  claim,
  deletePods,
  volumeDirectory as directoryOf,
  openLab,
  pod,
  startedPod,
  storageClass,
  template,
} from "./lab.ts";

const everything = new AsyncDisposableStack();
let lab: Lab;

before(async () => {
  lab = everything.use(await openLab());
});

after(() => everything.disposeAsync());

const started = (name: string): Promise<LabPod> => startedPod(lab, name);
const volumeDirectory = (claimName: string): Promise<string> => directoryOf(lab, claimName);

/** What the server has at the top of the export, besides Berth's own. */
async function onServer(directory = "/srv/xfs"): Promise<string[]> {
  const names = await lab.storage.check(`ls -A ${directory}`);
  return names.split("\n").filter((name) => name !== "" && name !== ".berth");
}

async function gone(...names: readonly string[]): Promise<void> {
  for (const name of names) lab.delete("Pod", name);
  await lab.settled();
}

/** A pod that a failed test left must not keep those after it from settling. */
afterEach(async () => {
  deletePods(lab);
  await lab.settled();
});

test("mount options of the class, and above them those of the volume, are what the kernel has", async () => {
  lab.apply(
    storageClass("options", {
      parameters: { mountOptions: "nfsvers=4.1,acregmin=7,rsize=65536" },
      mountOptions: ["acregmin=11", "noatime"],
    }) +
      claim("options", "options") +
      pod("options", [{ claim: "options" }]),
  );
  const [mount] = (await (await started("options")).mounts()).filter(({ path }) => path === "/data");
  const line = await (await lab.pod("options")).check("grep ' /data ' /proc/self/mountinfo");
  assert.ok(mount !== undefined);
  assert.match(line, /vers=4\.1,.*rsize=65536/);
  assert.match(line, /acregmin=11/);
  assert.match(line, / rw[^-]*noatime/);
});

test("a volume has the mode that its class says, and without one any pod may write", async () => {
  lab.apply(
    storageClass("mode", { parameters: { mode: "0750", uid: "1234", gid: "1234" } }) +
      storageClass("open") +
      claim("mode", "mode") +
      claim("open", "open"),
  );
  const stat = async (name: string) =>
    (await lab.storage.check(`stat -c '%a %u:%g' ${await volumeDirectory(name)}`)).trim();
  assert.equal(await stat("mode"), "750 1234:1234");
  assert.equal(await stat("open"), "777 0:0");
  lab.apply(pod("nobody", [{ claim: "open" }], { uid: 65534 }));
  await (await started("nobody")).check("echo mine > /data/file");
});

test("several volumes serve pods of one node, each its own", async () => {
  lab.apply(storageClass("several"));
  for (const name of ["one", "two", "three"]) {
    lab.apply(claim(name, "several") + pod(`pod-${name}`, [{ claim: name }], { node: "node-1" }));
  }
  for (const name of ["one", "two", "three"]) {
    await (await started(`pod-${name}`)).check(`echo ${name} > /data/name`);
  }
  for (const name of ["one", "two", "three"]) {
    const read = await (await lab.pod(`pod-${name}`)).check("cat /data/*");
    assert.equal(read, `${name}\n`);
  }
});

test("a pod with a read-only volume reads and cannot write", async () => {
  lab.apply(storageClass("ro") + claim("ro", "ro") + pod("writer", [{ claim: "ro" }]));
  await (await started("writer")).check("echo written > /data/file");
  lab.apply(pod("reader", [{ claim: "ro", readOnly: true }]));
  const reader = await started("reader");
  assert.equal(await reader.check("cat /data/file"), "written\n");
  const { exitCode, stderr } = await reader.exec(["sh", "-c", "echo more >> /data/file"]);
  assert.notEqual(exitCode, 0);
  assert.match(stderr, /[Rr]ead-only file system/);
});

for (const [title, parameters] of [
  ["", {}],
  [
    " under a subDir",
    { subDir: ["teams", template("pvc.metadata.namespace"), template("pvc.metadata.name")].join("/") },
  ],
] as const) {
  const name = `again${title === "" ? "" : "-subdir"}`;
  test(`a pod that is made again, on another node, finds its files${title}`, async () => {
    lab.apply(
      storageClass(name, { parameters }) +
        claim(name, name) +
        pod(name, [{ claim: name }], { node: "node-1" }),
    );
    await (await started(name)).check("echo kept > /data/file");
    await gone(name);
    lab.apply(pod(name, [{ claim: name }], { node: "node-2" }));
    assert.equal(await (await started(name)).check("cat /data/file"), "kept\n");
    if (title !== "") assert.equal(await volumeDirectory(name), "/srv/xfs/teams/default/again-subdir");
    await gone(name);
  });
}

test("with reclaim policy Delete the directory goes with the claim", async () => {
  lab.apply(storageClass("delete") + claim("delete", "delete"));
  const directory = await volumeDirectory("delete");
  await lab.storage.check(`test -d ${directory}`);
  lab.delete("PersistentVolumeClaim", "delete");
  await lab.claim("delete").gone();
  await lab.storage.check(`test ! -e ${directory}`);
});

test("with reclaim policy Retain the directory stays when the claim goes", async () => {
  lab.apply(storageClass("retain", { reclaimPolicy: "Retain" }) + claim("retain", "retain"));
  const directory = await volumeDirectory("retain");
  lab.delete("PersistentVolumeClaim", "retain");
  await lab.claim("retain").gone();
  await lab.storage.check(`test -d ${directory}`);
});

test("a pod has several volumes at once", async () => {
  lab.apply(
    storageClass("multi") +
      claim("left", "multi") +
      claim("right", "multi") +
      pod("both", [
        { claim: "left", at: "/left" },
        { claim: "right", at: "/right" },
      ]),
  );
  const both = await started("both");
  await both.check("echo l > /left/file; echo r > /right/file");
  assert.equal(await both.check("cat /left/file /right/file"), "l\nr\n");
});

test("a pod with a subPath sees that directory of the volume, and no other", async () => {
  lab.apply(
    storageClass("sub") +
      claim("sub", "sub") +
      pod("sub", [{ claim: "sub", subPath: "inner" }], { node: "node-1" }),
  );
  const inner = await started("sub");
  await inner.check("echo inside > /data/file");
  const directory = await volumeDirectory("sub");
  assert.equal(await lab.storage.check(`cat ${directory}/inner/file`), "inside\n");
});

test("an inline volume is made with its pod, and goes with it", async () => {
  const before = await onServer();
  lab.apply(pod("inline", [{ inline: { export: "nas" } }]));
  await (await started("inline")).check("echo short > /data/file");
  const during = await onServer();
  assert.equal(during.length, before.length + 1);
  await gone("inline");
  assert.deepEqual(await onServer(), before);
});

test("after a node lost power its inline volumes come back with their pods, and go where the pod has gone", async () => {
  const before = await onServer();
  const fields = { node: "node-1" };
  const inline = { inline: { export: "nas" } };
  lab.apply(pod("stays", [inline], fields) + pod("vanishes", [inline], fields));
  const [stays, vanishes] = [await started("stays"), await started("vanishes")];
  await stays.check("echo kept > /data/file; sync /data/file");
  const node = lab.node("node-1");
  const records = `${node.kubeletDirectory}/plugins/csi.berth.dev/ephemeral`;
  assert.equal((await onServer()).length, before.length + 2);
  // The pods' directories too, as after the seconds in which a file system writes them: by them a pod is known.
  await node.check("sync");
  await node.site.reboot();
  // Kubelet's part: the pod was deleted while the node was down, and its directory goes before the plugin starts.
  await node.check(`[ $(ls ${records} | wc -l) = 2 ]; rm -r ${node.kubeletDirectory}/pods/${vanishes.uid}`);
  await node.driver.restart("KILL", lab.patience());
  await node.check(`while [ $(ls ${records}/*.json | wc -l) -gt 1 ]; do sleep 0.05; done`);
  assert.equal((await onServer()).length, before.length + 1);
  lab.delete("Pod", "vanishes");
  await lab.reboot("node-1"); // and now kubelet too finds its pods gone, and starts the one that is wanted
  assert.equal(await (await started("stays")).check("cat /data/file"), "kept\n");
  await gone("stays");
  assert.deepEqual(await onServer(), before);
});

test("with onDelete: retain the directory stays, though the volume is deleted", async () => {
  lab.apply(storageClass("kept", { parameters: { onDelete: "retain" } }) + claim("kept", "kept"));
  const directory = await volumeDirectory("kept");
  lab.delete("PersistentVolumeClaim", "kept");
  await lab.claim("kept").gone();
  await lab.storage.check(`test -d ${directory}`);
});

for (const [title, parameters] of [
  ["", {}],
  [" under a subDir", { subDir: `archive-of/${template("pvc.metadata.name")}` }],
] as const) {
  const name = `archived${title === "" ? "" : "-subdir"}`;
  test(`with onDelete: archive the directory stays under another name${title}`, async () => {
    lab.apply(
      storageClass(name, { parameters: { onDelete: "archive", ...parameters } }) +
        claim(name, name) +
        pod(name, [{ claim: name }]),
    );
    await (await started(name)).check("echo old > /data/file");
    await gone(name);
    const directory = await volumeDirectory(name);
    lab.delete("PersistentVolumeClaim", name);
    await lab.claim(name).gone();
    await lab.storage.check(`test ! -e ${directory}`);
    const found = await lab.storage.check("find /srv/xfs -name 'archived-*' -type d -not -path '*/.berth/*'");
    const mine = found.split("\n").filter((path) => path.includes(directory.split("/").at(-1) ?? "?"));
    assert.equal(mine.length, 1, found);
    assert.equal(await lab.storage.check(`cat ${mine[0]}/file`), "old\n");
  });
}

test("a claim grows while a pod uses it", async () => {
  lab.apply(storageClass("grow") + claim("grow", "grow") + pod("grow", [{ claim: "grow" }]));
  await started("grow");
  lab.apply(claim("grow", "grow", { storage: "20Mi" }));
  await lab.claim("grow").resized(20n * 2n ** 20n);
  await (await lab.pod("grow")).check("echo still > /data/here");
});
