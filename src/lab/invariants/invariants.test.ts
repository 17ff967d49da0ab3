import assert from "node:assert/strict";
import { test } from "node:test";
import type { Mount } from "../machine/mount-table.ts";
import { invariants } from "./invariants.ts";
import type { RecordedCall, RecordedTable, Recording } from "./recording.ts";

const volumeId = "directory/bind/pvc-1/default";
const staging = (node: string) => `/${node}/plugins/x/globalmount`;
const target = (node: string) => `/${node}/pods/p/mount`;

function call(startMs: number, component: string, rpc: string, path = "", stagingPath = ""): RecordedCall {
  const text = { why: "", subject: "", message: "" };
  return { ...text, component, rpc, volumeId, path, stagingPath, startMs, endMs: startMs + 1, code: "OK" };
}

function mount(path: string, root = "/pvc-1"): Mount {
  return { device: "0:41", root, path, fileSystem: "tmpfs", source: "share", options: "rw" };
}

function table(ms: number, node: string, ...mounts: Mount[]): RecordedTable {
  return { ms, untilMs: ms, node, mounts };
}

/** Two nodes with a pod each: up at 10 and 20, down at 110 and 120, deleted at 200. */
function soundRecording(): Recording {
  const nodes = ["a", "b"];
  const up = (node: string, ms: number) => [
    call(ms, node, "NodeStageVolume", staging(node)),
    call(ms + 2, node, "NodePublishVolume", target(node), staging(node)),
  ];
  const down = (node: string, ms: number) => [
    call(ms, node, "NodeUnpublishVolume", target(node)),
    call(ms + 2, node, "NodeUnstageVolume", staging(node)),
  ];
  return {
    nodes: nodes.map((name) => ({ name, kubeletDirectory: `/${name}` })),
    calls: [
      ...up("a", 10),
      ...up("b", 20),
      ...down("a", 110),
      ...down("b", 120),
      call(200, "controller", "DeleteVolume"),
    ],
    tables: nodes.flatMap((node) => [
      table(30, node, mount(staging(node)), mount(target(node))),
      table(150, node),
    ]),
    pods: nodes.map((node) => ({
      name: `pod-${node}`,
      node,
      volumeId,
      path: target(node),
      startMs: 30,
      endMs: 100,
      data: mount("/data"),
    })),
    writes: [{ ms: 40, pod: "pod-a", node: "a", lines: ["hello"] }],
    reads: [{ ms: 50, pod: "pod-b", node: "b", lines: ["hello"] }],
    shares: [
      { ms: 5, names: ["pvc-1"] },
      { ms: 201, names: [] },
    ],
  };
}

const brokenBy = (recording: Recording) =>
  invariants.flatMap((each) => (each.check(recording).status === "broken" ? [each.number] : []));

function withCalls(change: (calls: readonly RecordedCall[]) => readonly RecordedCall[]): Recording {
  const sound = soundRecording();
  return { ...sound, calls: change(sound.calls) };
}

test("all six hold of a sound recording", () => {
  assert.deepEqual(brokenBy(soundRecording()), []);
});

test("an empty recording proves nothing: all six are broken", () => {
  const sound = soundRecording();
  const empty = { ...sound, calls: [], tables: [], pods: [], writes: [], reads: [], shares: [] };
  assert.deepEqual(brokenBy(empty), [1, 2, 3, 4, 5, 6]);
});

test("1 breaks when a staged volume is staged again", () => {
  const again = call(60, "a", "NodeStageVolume", staging("a"));
  assert.deepEqual(brokenBy(withCalls((calls) => [...calls, again])), [1]);
});

test("1 breaks when a pod's volume is published twice", () => {
  const again = call(60, "a", "NodePublishVolume", target("a"), staging("a"));
  assert.deepEqual(brokenBy(withCalls((calls) => [...calls, again])).at(0), 1);
});

test("2 breaks when a volume is unstaged while published", () => {
  const early = call(60, "a", "NodeUnstageVolume", staging("a"));
  assert.ok(brokenBy(withCalls((calls) => [...calls, early])).includes(2));
});

test("2 breaks when a volume is unstaged while a pod runs", () => {
  const sound = soundRecording();
  const pods = sound.pods.map((pod) => (pod.node === "a" ? { ...pod, endMs: 180 } : pod));
  assert.deepEqual(brokenBy({ ...sound, pods }), [2]);
});

test("3 breaks when a call changes another node", () => {
  const sound = soundRecording();
  const stray = table(155, "b", mount(staging("b")));
  assert.ok(brokenBy({ ...sound, tables: [...sound.tables, stray] }).includes(3));
});

test("a table that was read while a volume came and went may show it or not", () => {
  const sound = soundRecording();
  const slow = { ms: 9, untilMs: 14, node: "a" };
  const tables = (...mounts: Mount[]) => [{ ...slow, mounts }, ...sound.tables];
  assert.deepEqual(brokenBy({ ...sound, tables: tables() }), []);
  assert.deepEqual(brokenBy({ ...sound, tables: tables(mount(staging("a"))) }), []);
});

test("3 breaks when a mount is gone that nobody unmounted", () => {
  const sound = soundRecording();
  const lost = table(35, "b", mount(staging("b")));
  assert.deepEqual(
    brokenBy({ ...sound, tables: [...sound.tables, lost].toSorted((one, other) => one.ms - other.ms) }),
    [3],
  );
});

test("3 breaks when a plugin is called for another node's path", () => {
  const foreign = call(60, "a", "NodeUnpublishVolume", "/b/pods/q/mount");
  assert.deepEqual(brokenBy(withCalls((calls) => [...calls, foreign])), [3]);
});

test("4 breaks when the pod's mount is another directory", () => {
  const sound = soundRecording();
  const tables = sound.tables.map((table) =>
    table.ms === 30 && table.node === "a"
      ? { ...table, mounts: [mount(staging("a")), mount(target("a"), "/pvc-2")] }
      : table,
  );
  assert.deepEqual(brokenBy({ ...sound, tables }), [4]);
});

test("4 breaks when the pod sees another directory than its node", () => {
  const sound = soundRecording();
  const pods = sound.pods.map((pod) => ({ ...pod, data: mount("/data", "/") }));
  assert.deepEqual(brokenBy({ ...sound, pods }), [4]);
});

test("5 breaks when a volume is deleted that a node has staged", () => {
  const early = call(60, "controller", "DeleteVolume");
  assert.deepEqual(brokenBy(withCalls((calls) => [...calls, early])), [5]);
});

test("5 breaks when a mount is left that the calls do not tell", () => {
  const sound = soundRecording();
  const left = table(190, "a", mount(target("a")));
  assert.deepEqual(brokenBy({ ...sound, tables: [...sound.tables, left] }), [3, 5]);
});

test("5 breaks when the directory outlives its volume", () => {
  const sound = soundRecording();
  assert.deepEqual(brokenBy({ ...sound, shares: [{ ms: 201, names: ["pvc-1"] }] }), [5]);
});

test("6 breaks when only pods of the same node have read a line", () => {
  const sound = soundRecording();
  const reads = sound.reads.map((read) => ({ ...read, node: "a" }));
  assert.deepEqual(brokenBy({ ...sound, reads }), [6]);
});

test("6 breaks when a line was read before it was written", () => {
  const sound = soundRecording();
  assert.deepEqual(brokenBy({ ...sound, reads: sound.reads.map((read) => ({ ...read, ms: 39 })) }), [6]);
});
