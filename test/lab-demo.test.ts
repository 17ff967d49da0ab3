import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bundledProgram } from "./support/bundled.ts";

const { bundle } = await bundledProgram();
const scratch = mkdtempSync(join(tmpdir(), "berth-lab-"));
const hostMounts = () => readFileSync("/proc/self/mountinfo", "utf8");
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Processes that carry this mark in their command line: the demo, its drivers, all of them. */
function processesWith(mark: string): string[] {
  return readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, "utf8").includes(mark);
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

type Demo = ChildProcess & { readonly output: () => string };

/** @param mark in the command line of all that it starts, and of nothing else */
function startDemo(mark: string, ...args: string[]): Demo {
  const program = [`--title=${mark}`, bundle, "lab", "demo", "--tier", "directory"];
  const child = spawn(process.execPath, [...program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return Object.assign(child, { output: () => output });
}

/** Resolves once the demo is in its middle: a pod writes, its volume is mounted. */
async function untilMounted(demo: Demo): Promise<void> {
  const closed = once(demo, "close");
  while (!demo.output().includes("NodePublishVolume")) {
    assert.ok(demo.exitCode === null && demo.signalCode === null, demo.output());
    await Promise.race([once(demo.stdout ?? demo, "data"), closed]);
  }
}

test("the demo keeps all six invariants, and its trace has every call", async () => {
  const trace = join(scratch, "trace.jsonl");
  const demo = startDemo("berth-lab-whole", "--trace", trace);
  const [code] = await once(demo, "close");
  const lines = demo.output().trimEnd().split("\n");
  assert.equal(code, 0, demo.output());
  assert.equal(lines.at(-1)?.trim(), "6 of 6 invariants hold");
  assert.deepEqual(
    lines.filter((line) => [...line].length > 80),
    [],
    "every line fits into 80 columns",
  );
  assert.ok(!demo.output().includes("\x1b"), "no colour where there is no terminal");

  const calls = readFileSync(trace, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const count = (rpc: string) => calls.filter((call) => call.rpc === rpc && call.code === "OK").length;
  assert.deepEqual(Object.keys(calls[0]), [
    "ms",
    "component",
    "rpc",
    "volumeId",
    "path",
    "code",
    "durationMs",
  ]);
  assert.deepEqual(
    [
      "CreateVolume",
      "NodeStageVolume",
      "NodePublishVolume",
      "NodeUnpublishVolume",
      "NodeUnstageVolume",
      "DeleteVolume",
    ].map(count),
    [1, 3, 5, 5, 3, 1],
  );
});

for (const [signal, exitCode] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} in the middle leaves no mount and no process, and exits ${exitCode}`, async () => {
    const before = hostMounts();
    const demo = startDemo(`berth-lab-${signal}`);
    await untilMounted(demo);
    demo.kill(signal);
    const [code] = await once(demo, "close");
    assert.equal(code, exitCode);
    assert.match(
      demo.output(),
      new RegExp(`stopped by ${signal}; no process, mount or file of the lab is left\n$`),
    );
    assert.deepEqual(processesWith(`berth-lab-${signal}`), []);
    assert.equal(hostMounts(), before);
  });
}

test("SIGKILL in the middle leaves no mount and no process", async () => {
  const before = hostMounts();
  const demo = startDemo("berth-lab-killed");
  await untilMounted(demo);
  const others = processesWith("berth-lab-killed").filter((pid) => pid !== String(demo.pid));
  assert.ok(others.length >= 5, "the lab, its controller and three nodes run");
  demo.kill("SIGKILL");
  // The output ends when the last process that holds it has ended: the lab's own.
  await once(demo, "close");
  await Promise.all(others.map(untilGone));
  assert.equal(hostMounts(), before);
});

test("a demo without its manifests says which is missing, and exits 2", async () => {
  const demo = startDemo("berth-lab-bare", "--manifests", scratch);
  const [code] = await once(demo, "close");
  assert.equal(code, 2);
  assert.match(demo.output(), /no Deployment: the lab needs the one that mounts the claim/);
});

/** Resolves when a process is gone: the kernel takes a moment between its kill and its end. */
async function untilGone(pid: string): Promise<void> {
  const deadlineMs = Date.now() + 5_000;
  while (readdirSync("/proc").includes(pid)) {
    assert.ok(Date.now() < deadlineMs, `process ${pid} is still there`);
    await new Promise(setImmediate);
  }
}
