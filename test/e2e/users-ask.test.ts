/**
 * What users of drivers of this kind have asked for, or been hurt by: each test is named after the threads.
 * Volumes are made, mounted and deleted as Kubernetes does it, on real kernels. What needs less than that is
 * tested elsewhere under the same threads: handles used twice in `test/node-nfs`, archives in `test/export`, several
 * servers, Kerberos and labels in `test/export/users-ask.test.ts`, messages in `refusals.test.ts`.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Controller, Node } from "../../src/gen/csi/v1/csi_pb.ts";
import { CsiConnection, requestOf } from "../../src/lab/csi-client.ts";
import { StorageGuest } from "../../src/lab/guest/storage.ts";
import type { Lab } from "../../src/lab/lab.ts";
import { GarbageServer } from "./garbage-server.ts";
import {
  claim,
  deletePods,
  openLab,
  persistentVolume,
  pod,
  startedPod,
  storageClass,
  template,
  volumeDirectory,
  withExports,
} from "./lab.ts";

const everything = new AsyncDisposableStack();
const mib = 2n ** 20n;
const residentKbMax = 160 * 1024;
let lab: Lab;

before(async () => {
  const fileSystems = [
    { name: "xfs", type: "xfs" },
    { name: "small", type: "ext4", sizeBytes: 2 ** 26 },
    { name: "squashed", type: "ext4", sizeBytes: 2 ** 25 },
    { name: "plain", type: "ext4", sizeBytes: 2 ** 25 }, // in no configuration
  ] as const;
  const exports = [
    { path: "/srv/xfs" },
    { path: "/srv/small" },
    { path: "/srv/plain" },
    { path: "/srv/squashed", options: ["root_squash"] },
  ];
  const driverConfig = withExports(
    { name: "small", share: "/srv/small", overcommit: "1.0" },
    { name: "squashed", share: "/srv/squashed", uid: 2000, gid: 2000 },
  );
  lab = everything.use(
    await openLab({
      nodes: 1,
      storage: { fileSystems, exports },
      driverConfig: (site) => ({ ...driverConfig(site), reaper: { interval: "1s" } }),
      patienceMs: 120_000,
    }),
  );
  await lab.storage.check("chown 7:7 /srv/xfs; chmod 751 /srv/xfs; chown 2000:2000 /srv/squashed");
  lab.apply(storageClass("nas"));
});

afterEach(() => deletePods(lab));
after(() => everything.disposeAsync());

const stat = async (path: string): Promise<string> =>
  (await lab.storage.check(`stat -c '%a %u:%g' ${path}`)).trim();

async function deleteClaim(name: string): Promise<void> {
  lab.delete("PersistentVolumeClaim", name);
  await lab.claim(name).gone();
}

test("no more is promised than the export holds, and what is deleted is free again (csi-driver-nfs #427, nfs-subdir #51 #186 #379, csi-driver-smb #348)", async () => {
  lab.apply(storageClass("bounded", { parameters: { export: "small" } }));
  lab.apply(claim("fits", "bounded", { storage: "40Mi" }));
  await lab.claim("fits").bound();
  lab.apply(claim("beyond", "bounded", { storage: "40Mi" }));
  const { reason, message } = await lab.claim("beyond").warning(/RESOURCE_EXHAUSTED/);
  assert.equal(reason, "ProvisioningFailed");
  assert.match(
    message,
    /overcommit 1 times the capacity of \d+ bytes \(.*MiB\); \d+ bytes \(.*MiB\) are left/,
  );
  await deleteClaim("fits");
  await lab.claim("beyond").bound();
});

test("stats show the volume, not the whole share, and its quota holds (csi-driver-nfs #517 #427)", async () => {
  lab.apply(claim("stats", "nas") + pod("stats", [{ claim: "stats" }], { uid: 1234 }));
  const user = await startedPod(lab, "stats");
  const { handle } = await lab.claim("stats").bound();
  const node = lab.node("node-1");
  const target = (await node.mounts()).find(({ path }) => path.includes(user.uid));
  assert.ok(target !== undefined, "the pod's volume is mounted");
  const usage = async () => {
    const how = { why: "kubelet asks for its summary", timeoutMs: 30_000 };
    const parts = { volumeId: handle, volumePath: target.path };
    const result = await node.caller.call(Node.method.nodeGetVolumeStats, parts, how);
    assert.equal(result.status, "ok", "message" in result ? result.message : "");
    return result.status === "ok" ? result.response.usage.map(({ total, used }) => ({ total, used })) : [];
  };
  assert.equal((await usage())[0]?.total, 10n * mib);

  const directory = await volumeDirectory(lab, "stats");
  await lab.storage.check(`xfs_quota -x -c 'project -s -p ${directory} 7' -c 'limit -p bhard=4m 7' /srv/xfs`);
  const written = await user.exec(["dd", "if=/dev/zero", "of=/data/file", "bs=1M", "count=8", "conv=fsync"]);
  assert.match(written.stderr, /No space left on device|Disk quota exceeded/);
  const [bytes] = await usage();
  assert.equal(bytes?.total, 4n * mib);
  assert.ok(bytes.used >= 2n * mib && bytes.used <= 4n * mib, `${bytes.used} bytes`);
});

test("volumes belong to whom the class says, and the share's root stays as it was (csi-driver-nfs #183 #434 #1175 #1251 #940)", async () => {
  const parameters = { uid: "1234", gid: "1234", mode: "2770" };
  lab.apply(storageClass("owned", { parameters }) + claim("owned", "owned"));
  assert.equal(await stat(await volumeDirectory(lab, "owned")), "2770 1234:1234");
  lab.apply(pod("owner", [{ claim: "owned" }], { uid: 1234 }));
  lab.apply(pod("stranger", [{ claim: "owned" }], { uid: 4321 }));
  await (await startedPod(lab, "owner")).check("echo mine > /data/file");
  const stranger = await (await startedPod(lab, "stranger")).exec(["cat", "/data/file"]);
  assert.match(stranger.stderr, /Permission denied/);
  assert.equal(await stat("/srv/xfs"), "751 7:7");
});

for (const [how, name, place] of [
  ["", "squashed", () => ({ export: "squashed" })],
  [
    ", also where a class names it by its place",
    "squashed-place",
    () => ({ server: lab.storage.address, share: "/srv/squashed" }),
  ],
] as const) {
  test(`under root_squash Berth acts as the share's owner, from creation to deletion${how} (csi-driver-nfs #434 #1175)`, async () => {
    lab.apply(storageClass(name, { parameters: { ...place(), mode: "0777" } }));
    lab.apply(claim(name, name) + pod(name, [{ claim: name }], { uid: 3000 }));
    const user = await startedPod(lab, name);
    await user.check("umask 077; mkdir /data/closed; echo mine > /data/closed/file; chmod 500 /data/closed");
    const { attributes } = await lab.claim(name).bound();
    const directory = `/srv/squashed/${attributes["subDir"]}`;
    assert.deepEqual(
      [await stat(directory), await stat(`${directory}/closed`)],
      ["777 2000:2000", "500 3000:3000"],
    );
    deletePods(lab);
    await user.gone();
    await deleteClaim(name);
    await lab.storage.check(`test ! -e ${directory}`);
    await lab.storage.check('cd /srv/squashed/.berth/trash; until [ -z "$(ls)" ]; do sleep 0.05; done');
    assert.equal(await stat("/srv/squashed"), "755 2000:2000");
  });
}

test("parents of a volume go only when nothing else is in them (csi-driver-nfs #855, aws-efs #1085)", async () => {
  const subDir = ["team", "a", template("pvc.metadata.name")].join("/");
  lab.apply(storageClass("parents", { parameters: { subDir } }));
  for (const name of ["first", "second"]) lab.apply(claim(name, "parents"));
  assert.equal(await volumeDirectory(lab, "first"), "/srv/xfs/team/a/first");
  await volumeDirectory(lab, "second");
  await lab.storage.check("echo data > /srv/xfs/team/a/second/file; echo not yours > /srv/xfs/team/notes");
  await deleteClaim("first");
  assert.equal(
    await lab.storage.check("ls /srv/xfs/team/a; cat /srv/xfs/team/a/second/file"),
    "second\ndata\n",
  );
  await deleteClaim("second");
  assert.equal(await lab.storage.check("ls /srv/xfs/team"), "notes\n");
});

test("a hundred claims at once are met, and the controller stays small (csi-driver-nfs #155 #158)", async () => {
  const names = Array.from({ length: 100 }, (_, index) => `crowd-${index}`);
  lab.apply(names.map((name) => claim(name, "nas", { storage: "1Mi" })).join(""));
  await Promise.all(names.map((name) => lab.claim(name).bound()));
  for (const name of names) lab.delete("PersistentVolumeClaim", name);
  await Promise.all(names.map((name) => lab.claim(name).gone()));
  const peak = await lab.site.controller.machine.check(`for directory in /proc/[0-9]*; do
    tr '\\0' ' ' 2>/dev/null < $directory/cmdline | grep -q '^[^ ]*node .*berth.js controller' && grep VmHWM $directory/status
  done; true`);
  const peakKb = [...peak.matchAll(/(\d+) kB/g)].map(([, kb]) => Number(kb));
  assert.ok(peakKb.length >= 1 && Math.max(...peakKb) < residentKbMax, peak);
});

test("ten pods of a node with one volume share one NFS mount (csi-driver-nfs #573 #479)", async () => {
  const names = Array.from({ length: 10 }, (_, index) => `many-${index}`);
  lab.apply(claim("many", "nas") + names.map((name) => pod(name, [{ claim: "many" }])).join(""));
  const pods = await Promise.all(names.map((name) => startedPod(lab, name)));
  await pods[0]?.check("echo shared > /data/file");
  assert.equal(await pods[9]?.check("cat /data/file"), "shared\n");
  const directory = await volumeDirectory(lab, "many");
  const mounts = (await lab.node("node-1").mounts()).filter(({ source }) => source.endsWith(directory));
  assert.equal(mounts.length, names.length + 1);
  assert.equal(new Set(mounts.map(({ device }) => device)).size, 1);
  deletePods(lab);
  await Promise.all(pods.map((each) => each.gone()));
});

test("a call that its deadline cut can be repeated, and no volume stays locked (democratic-csi #232 #126)", async () => {
  lab.apply(claim("cut", "nas"));
  const { handle, attributes } = await lab.claim("cut").bound();
  const node = lab.node("node-1");
  const stagingTargetPath = `${node.kubeletDirectory}/plugins/kubernetes.io/csi/csi.berth.dev/cut/globalmount`;
  await node.check(`mkdir -p ${stagingTargetPath}`);
  const volumeCapability = {
    accessType: { case: "mount" as const, value: {} },
    accessMode: { mode: 5 as const },
  };
  const controller = new CsiConnection(lab.controller.target);
  const create = (timeoutMs: number) => {
    const parts = {
      name: "pvc-cut",
      capacityRange: { requiredBytes: mib },
      volumeCapabilities: [volumeCapability],
      parameters: { type: "export", export: "nas" },
    };
    const { createVolume } = Controller.method;
    return controller.call(createVolume, requestOf(createVolume, parts), timeoutMs);
  };
  const stage = (timeoutMs: number) => {
    const parts = { volumeId: handle, stagingTargetPath, volumeCapability, volumeContext: { ...attributes } };
    return node.caller.call(Node.method.nodeStageVolume, parts, { why: "a test", timeoutMs });
  };

  await lab.storage.guest.pause();
  try {
    const [created, staged] = await Promise.all([create(10_000), stage(1000)]); // as csi-provisioner's deadline
    assert.ok(created.status === "error" && staged.status === "error");
    assert.equal(created.code, "UNAVAILABLE", created.message);
    assert.match(created.message, /share nas \(.*:\/srv\/xfs\): no answer for \d s: .*the server is silent/);
    assert.match(staged.code, /^(ABORTED|UNAVAILABLE|DEADLINE_EXCEEDED)$/);
    const [again, stagedAgain] = await Promise.all([create(2000), stage(1000)]);
    assert.ok(again.status === "error" && stagedAgain.status === "error");
    assert.match(again.code, /^(UNAVAILABLE|DEADLINE_EXCEEDED)$/, "it is not locked");
    assert.match(stagedAgain.code, /^(ABORTED|UNAVAILABLE|DEADLINE_EXCEEDED)$/);
  } finally {
    await lab.storage.guest.resume();
  }
  await untilOk(() => create(30_000));
  await untilOk(() => stage(30_000));
  const unstage = { volumeId: handle, stagingTargetPath };
  const how = { why: "a test", timeoutMs: 30_000 };
  await untilOk(() => node.caller.call(Node.method.nodeUnstageVolume, unstage, how));
  controller.close();
});

/** As Kubernetes tries again, without its pauses: every answer before the right one has to be one to wait after. */
async function untilOk(
  attempt: () => Promise<
    { readonly status: "ok" } | { readonly status: "error"; readonly code: string; readonly message: string }
  >,
): Promise<void> {
  const signal = lab.patience();
  for (let result = await attempt(); result.status === "error"; result = await attempt()) {
    assert.match(result.code, /^(ABORTED|UNAVAILABLE|DEADLINE_EXCEEDED)$/, result.message);
    signal.throwIfAborted();
  }
}

test("a server that answers with garbage ends no process of the driver (democratic-csi #212 #189)", async () => {
  const { network } = lab.site;
  assert.ok(network !== undefined);
  await using garbage = await GarbageServer.listen(network.hostAddress);
  const attributes = { server: network.hostAddress, share: "/srv/x" };
  lab.apply(storageClass("garbage", { parameters: attributes }) + claim("garbage", "garbage"));
  lab.apply(persistentVolume("garbage", { handle: "garbage", attributes }));
  lab.apply(claim("by-hand", "", { volumeName: "garbage" }) + pod("garbage", [{ claim: "by-hand" }]));
  const unwell = await lab.pod("garbage");
  await Promise.all([
    garbage.hasSpoken(GarbageServer.kinds),
    lab.claim("garbage").warning(/rpc error/),
    unwell.warning(/rpc error/),
  ]);
  lab.delete("PersistentVolumeClaim", "garbage");
  deletePods(lab);
  await unwell.gone();
  // Nobody would start a process again that had ended.
  lab.apply(claim("sane", "nas") + pod("sane", [{ claim: "sane" }]));
  await startedPod(lab, "sane");
});

test("a server that hangs holds up its own volumes only, and its mounts can be taken away (csi-driver-nfs #1271 #649 #569, kubernetes #101622)", async () => {
  const { network } = lab.site;
  assert.ok(network !== undefined);
  const mortal = everything.use(
    await StorageGuest.boot(network, { name: "mortal", fileSystems: [{ name: "xfs", type: "xfs" }] }),
  );
  lab.apply(storageClass("mortal", { parameters: { server: mortal.address, share: "/srv/xfs" } }));
  for (const name of ["held", "later"]) lab.apply(claim(name, "mortal"));
  lab.apply(claim("living", "nas") + pod("holder", [{ claim: "held" }]));
  await Promise.all(["held", "later", "living"].map((name) => lab.claim(name).bound()));
  const holder = await startedPod(lab, "holder");
  await mortal.guest.pause();
  try {
    lab.apply(pod("waiting", [{ claim: "later" }]) + pod("living", [{ claim: "living" }]));
    const waiting = await lab.pod("waiting");
    await (await startedPod(lab, "living")).check("echo works > /data/file");
    const { reason } = await waiting.warning(/DEADLINE_EXCEEDED|UNAVAILABLE/);
    assert.equal(reason, "FailedMount");
    lab.delete("Pod", "holder");
    await holder.gone();
    const left = (await lab.node("node-1").mounts()).filter(({ source }) =>
      source.startsWith(mortal.address),
    );
    assert.deepEqual(left, []);
  } finally {
    await mortal.guest.resume();
  }
  await (await startedPod(lab, "waiting")).check("echo at last > /data/file");
});

test("pods go on after the server lost power, and new ones start (csi-driver-nfs #927, csi-driver-smb #419, aws-efs #614, democratic-csi #344 #100)", async () => {
  lab.apply(claim("stale", "nas") + pod("before", [{ claim: "stale" }]));
  const old = await startedPod(lab, "before");
  await old.check("echo before > /data/file; sync /data/file");
  await lab.storage.crash();
  assert.equal(await old.check("cat /data/file; echo after > /data/file; cat /data/file"), "before\nafter\n");
  lab.apply(pod("after", [{ claim: "stale" }]));
  assert.equal(await (await startedPod(lab, "after")).check("cat /data/file"), "after\n");
});

test("a volume is deleted the way it was made, without its class and by another controller (csi-driver-nfs #260 #1143)", async () => {
  await lab.storage.stopServer();
  await lab.storage.check("rpc.nfsd --no-nfs-version 4 --grace-time 10 --lease-time 10 4");
  const parameters = { server: lab.storage.address, share: "/srv/plain" };
  lab.apply(storageClass("v3", { parameters, mountOptions: ["vers=3", "nolock"] }) + claim("v3", "v3"));
  lab.apply(pod("v3", [{ claim: "v3" }]));
  const user = await startedPod(lab, "v3");
  await user.check("echo data > /data/file; grep ' /data nfs .*vers=3' /proc/mounts");
  const { attributes } = await lab.claim("v3").bound();
  deletePods(lab);
  await user.gone();
  lab.delete("StorageClass", "v3");
  await lab.restartController("KILL");
  await deleteClaim("v3");
  await lab.storage.check(`test ! -e /srv/plain/${attributes["subDir"]}`);
});
