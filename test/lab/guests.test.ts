/** The lab on real kernels, and what tests of whole volumes can do with it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Lab } from "../../src/lab/lab.ts";
import { bundledProgram } from "../support/bundled.ts";

const examples = join(import.meta.dirname, "../../examples");
const example = (name: string) => readFileSync(join(examples, name), "utf8");
const everything = new AsyncDisposableStack();
let lab: Lab;

before(async () => {
  lab = everything.use(await Lab.open({ tier: "guests", nodes: 2, program: await bundledProgram() }));
  for (const file of ["csidriver.yaml", "storageclass-export.yaml"]) lab.apply(example(file));
});

after(() => everything.disposeAsync());

const claim = (name: string, bytes = "1Gi") => `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: ${name} }
spec:
  storageClassName: berth
  accessModes: [ReadWriteMany]
  resources: { requests: { storage: ${bytes} } }
`;

const pod = (name: string, claimName: string, nodeName: string, mount = "mountPath: /data") => `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  nodeName: ${nodeName}
  containers: [{ name: main, volumeMounts: [{ name: data, ${mount} }] }]
  volumes: [{ name: data, persistentVolumeClaim: { claimName: ${claimName} } }]
`;

test("the controller runs as nobody, and without a capability", async () => {
  const { machine } = lab.site.controller;
  const find = `for directory in /proc/[0-9]*; do
  tr '\\0' ' ' < $directory/cmdline | grep -q 'berth.js controller .*unix:///run/controller/' && cat $directory/status && exit
done`;
  const status = await machine.check(find);
  const lines = status.split("\n").map((line) => line.replaceAll(/\s+/g, " "));
  for (const line of ["Uid: 65534 65534 65534 65534", "NoNewPrivs: 1"])
    assert.ok(lines.includes(line), status);
  assert.deepEqual(
    lines.filter((line) => /^Cap(Inh|Prm|Eff|Bnd|Amb):/.test(line) && !/ 0+$/.test(line)),
    [],
  );
});

test("pods on two nodes share a claim, mounted by each node's kernel from the server", async () => {
  lab.apply(claim("shared") + ["---", pod("a", "shared", "node-1")].join("\n"));
  lab.apply(pod("b", "shared", "node-2"));
  await lab.settled();
  const [a, b] = [await lab.pod("a"), await lab.pod("b")];
  await a.check("echo from a > /data/file");
  assert.equal(await b.check("cat /data/file"), "from a\n");

  const { name } = await lab.claim("shared").bound();
  const source = `${lab.site.share.where}/${name}`;
  const mounts = await lab.node("node-1").mounts();
  assert.deepEqual(
    mounts.map((mount) => [mount.fileSystem, mount.source]),
    [
      ["nfs4", source],
      ["nfs4", source],
    ],
  );
  assert.equal((await b.check("df --output=source /data")).split("\n")[1], source);
});

test("a node that loses power gets its pods back, with what they had written", async () => {
  await (await lab.pod("a")).check("echo kept > /data/kept; sync /data/kept");
  await lab.reboot("node-1");
  const a = await lab.pod("a");
  assert.equal(a.phase, "Running");
  assert.equal(await a.check("cat /data/kept"), "kept\n");
});

test("a restart of plugin and controller goes unnoticed by pods, and volumes can be made and deleted", async () => {
  await Promise.all([lab.restartNodeDriver("node-2"), lab.restartController("KILL")]);
  const b = await lab.pod("b");
  await b.check("echo still here >> /data/file");
  lab.apply(claim("brief"));
  await lab.claim("brief").bound();
  lab.delete("PersistentVolumeClaim", "brief");
  await lab.claim("brief").gone();
});

test("a claim that the server refuses tells why, and is met when it no longer does", async () => {
  await lab.storage.setExports([{ path: "/srv/xfs", options: ["ro"] }]);
  lab.apply(claim("refused"));
  const { message } = await lab.claim("refused").warning(/read-only/i);
  assert.match(message, /^rpc error: code = /);
  await lab.storage.setExports([{ path: "/srv/xfs" }]);
  await lab.claim("refused").bound();
});

test("a directory of a volume is a pod's only view of it, read-only if it says so", async () => {
  lab.apply(pod("sub", "shared", "node-2", "mountPath: /settings, subPath: a/b, readOnly: true"));
  const sub = await lab.pod("sub");
  await sub.running();
  const { exitCode, stderr } = await sub.exec(["touch", "/settings/x"]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /Read-only file system/);
  await (await lab.pod("b")).check("echo inner > /data/a/b/file");
  assert.equal(await sub.check("cat /settings/file; ls /settings"), "inner\nfile\n");
});

test("a claim in use outlives its deletion until the last pod has gone", async () => {
  lab.delete("PersistentVolumeClaim", "shared");
  const { name } = await lab.claim("shared").bound();
  assert.ok((await lab.site.share.names()).includes(name));
  for (const each of ["a", "b", "sub"]) lab.delete("Pod", each);
  await lab.claim("shared").gone();
  assert.equal((await lab.site.share.names()).includes(name), false);
  assert.deepEqual(await lab.node("node-1").mounts(), []);
  assert.deepEqual(await lab.node("node-2").mounts(), []);
});

test("a pod whose claim nobody made is not scheduled, and its event says why", async () => {
  lab.apply(pod("lonely", "missing", "node-1"));
  const found = await lab.warning(
    { kind: "Pod", name: "lonely" },
    /persistentvolumeclaim "missing" not found/,
  );
  assert.equal(found.reason, "FailedScheduling");
  lab.delete("Pod", "lonely");
});
