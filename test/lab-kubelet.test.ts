import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Clock } from "../src/core/clock.ts";
import { type CallHook, ConnectionPerCall } from "../src/lab/calls.ts";
import { check, run } from "../src/lab/guest/process.ts";
import { Kubelet } from "../src/lab/orchestrator/kubelet/kubelet.ts";
import { nodeFiles } from "../src/lab/orchestrator/kubelet/node-files.ts";
import type { PersistentVolume, Pod } from "../src/lab/orchestrator/objects.ts";
import { scratchDirectory } from "../tools/scratch.ts";
import { type Answer, type FakeCall, serveFakeCsi } from "./support/fake-csi.ts";

const hook: CallHook = { around: (_, send) => send() };
const threeQuestions = ["NodeGetCapabilities", "NodeGetCapabilities", "NodeGetCapabilities"];
const volume: PersistentVolume = {
  kind: "PersistentVolume",
  name: "pvc-1",
  handle: "directory/bind/pvc-1/default",
  driver: "csi.berth.dev",
  capacityBytes: 1n,
  accessModes: ["ReadWriteMany"],
  mountOptions: [],
  attributes: {},
  reclaimPolicy: "Delete",
  storageClassName: "berth",
  readOnly: false,
  provisionedBy: "csi.berth.dev",
};
const other: PersistentVolume = { ...volume, name: "pvc-2", handle: "directory/bind/pvc-2/default" };
const podNamed = (name: string, ...volumes: PersistentVolume[]): Pod => ({
  ...{
    uid: name,
    namespace: "default",
    name,
    owner: "",
    nodeName: "node-1",
    mounts: [],
    uidNumber: 0,
    gidNumber: 0,
  },
  volumes: (volumes.length === 0 ? [volume] : volumes).map((each) => ({
    ...{ name: each.name, volume: each, readOnly: false, lifecycle: "Persistent" as const },
  })),
});
const thisMachine = {
  exec: (script: string) => run(["sh", "-c", script]),
  check: (script: string) => check(["sh", "-ec", script]),
};
const signal = () => AbortSignal.timeout(10_000);

/** A kubelet before a driver that stages, and answers `failures` first. */
async function setUp(
  context: TestContext,
  failures: readonly (Answer & { readonly rpc: string })[] = [],
  answer: (call: FakeCall) => Promise<Answer> | undefined = () => undefined,
) {
  const root = scratchDirectory("kubelet");
  const left = [...failures];
  const waits: number[] = [];
  const notes: string[] = [];
  const driver = await serveFakeCsi(join(root, "csi.sock"), (call: FakeCall): Answer | Promise<Answer> => {
    const { rpc } = call;
    const answered = answer(call);
    if (answered !== undefined) return answered;
    const index = left.findIndex((failure) => failure.rpc === rpc);
    const [failure] = index < 0 ? [] : left.splice(index, 1);
    if (failure !== undefined) return failure;
    if (rpc !== "NodeGetCapabilities") return { response: {} };
    return { response: { capabilities: [{ rpc: { type: "STAGE_UNSTAGE_VOLUME" } }] } };
  });
  const clock: Clock = {
    nowMs: () => 0,
    async sleep(ms) {
      waits.push(ms);
    },
  };
  const kubelet = new Kubelet({
    nodeName: "node-1",
    root,
    caller: new ConnectionPerCall({ component: "node-1", endpoint: driver.endpoint, hook }),
    runtime: { start: async () => {}, stop: async () => {} },
    files: nodeFiles(thisMachine),
    clock,
    note: (_, text) => notes.push(text),
  });
  context.after(() => {
    driver.close();
    rmSync(root, { recursive: true, force: true });
  });
  const rpcs = () => driver.calls.splice(0).map(({ rpc }) => rpc);
  return { kubelet, driver, rpcs, waits, notes };
}

test("the first pod of a node: questions, stage, questions, publish", async (context) => {
  const { kubelet, rpcs } = await setUp(context);
  await kubelet.reconcile([podNamed("a")], signal());
  assert.deepEqual(rpcs(), [...threeQuestions, "NodeStageVolume", ...threeQuestions, "NodePublishVolume"]);
});

test("a second pod of the node is published only, and a note says why", async (context) => {
  const { kubelet, rpcs, notes } = await setUp(context);
  await kubelet.reconcile([podNamed("a")], signal());
  rpcs();
  await kubelet.reconcile([podNamed("a"), podNamed("b")], signal());
  assert.deepEqual(rpcs(), [...threeQuestions, "NodePublishVolume"]);
  assert.match(notes.join(), /no NodeStageVolume/);
});

test("a pod that goes is unpublished; only the last one unstages", async (context) => {
  const { kubelet, rpcs } = await setUp(context);
  await kubelet.reconcile([podNamed("a"), podNamed("b")], signal());
  rpcs();
  await kubelet.reconcile([podNamed("b")], signal());
  assert.deepEqual(rpcs(), ["NodeUnpublishVolume"]);
  await kubelet.reconcile([], signal());
  assert.deepEqual(rpcs(), ["NodeUnpublishVolume", "NodeGetCapabilities", "NodeUnstageVolume"]);
});

test("each loop unmounts, then mounts: a staged volume stays for the next pod", async (context) => {
  const { kubelet, rpcs } = await setUp(context);
  await kubelet.reconcile([podNamed("a")], signal());
  rpcs();
  await kubelet.reconcile([podNamed("b")], signal());
  assert.deepEqual(rpcs(), ["NodeUnpublishVolume", ...threeQuestions, "NodePublishVolume"]);
});

test("the paths are kubelet's", async (context) => {
  const { kubelet, driver } = await setUp(context);
  await kubelet.reconcile([podNamed("a")], signal());
  const publish = JSON.stringify(driver.calls.at(-1)?.request);
  assert.match(publish, /\/plugins\/kubernetes\.io\/csi\/csi\.berth\.dev\/[0-9a-f]{64}\/globalmount"/);
  assert.match(publish, /\/pods\/a\/volumes\/kubernetes\.io~csi\/pvc-1\/mount"/);
});

test("every call comes on a connection of its own", async (context) => {
  const { kubelet, driver } = await setUp(context);
  await kubelet.reconcile([podNamed("a")], signal());
  assert.equal(driver.calls.length, 8);
  assert.equal(driver.connections(), 8);
});

test("a failed stage is repeated after waits that double", async (context) => {
  const failure = { rpc: "NodeStageVolume", code: "UNAVAILABLE", message: "not now" } as const;
  const { kubelet, rpcs, waits } = await setUp(context, [failure, failure, failure]);
  await kubelet.reconcile([podNamed("a")], signal());
  assert.deepEqual(waits, [500, 1000, 2000]);
  assert.equal(rpcs().filter((rpc) => rpc === "NodeStageVolume").length, 4);
});

test("a volume whose server is silent holds up no pod with another volume", async (context) => {
  const silent = Promise.withResolvers<Answer>();
  const published = Promise.withResolvers<void>();
  const { kubelet } = await setUp(context, [], ({ rpc, request }) => {
    const isOther = JSON.stringify(request).includes(other.handle);
    if (rpc === "NodePublishVolume" && isOther) published.resolve();
    return rpc === "NodeStageVolume" && !isOther ? silent.promise : undefined;
  });
  const both = kubelet.reconcile([podNamed("a"), podNamed("b", other)], signal());
  await published.promise;
  silent.resolve({ response: {} });
  await both;
});

test("a pod that goes while its volume cannot be mounted is let go, and what is doubtful is undone", async (context) => {
  const failure = { rpc: "NodePublishVolume", code: "DEADLINE_EXCEEDED", message: "late" } as const;
  const { kubelet, rpcs, driver } = await setUp(context, [failure]);
  const begun = kubelet.reconcile([podNamed("a")], signal());
  while (!driver.calls.some(({ rpc }) => rpc === "NodePublishVolume")) await new Promise(setImmediate);
  await Promise.all([begun, kubelet.reconcile([], signal())]);
  assert.deepEqual(rpcs().slice(-3), ["NodeUnpublishVolume", "NodeGetCapabilities", "NodeUnstageVolume"]);
  assert.equal(kubelet.holds(volume.handle), false);
});

test("after a restart of kubelet a pod that runs is staged and published again", async (context) => {
  const { kubelet, rpcs } = await setUp(context);
  await kubelet.reconcile([podNamed("a")], signal());
  rpcs();
  kubelet.restart("running");
  await kubelet.reconcile([podNamed("a")], signal());
  assert.deepEqual(rpcs(), [...threeQuestions, "NodeStageVolume", ...threeQuestions, "NodePublishVolume"]);
});
