import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { scratchDirectory } from "../tools/scratch.ts";
import {
  assertKeepsAll,
  commandOf,
  descendantsOf,
  ownMounts,
  startDemo,
  untilGone,
  untilMounted,
  untilSaid,
} from "./support/demo-process.ts";
import { inMountNamespace } from "./support/mount-namespace.ts";

if (inMountNamespace()) {
  const scratch = scratchDirectory("lab");

  test("the demo keeps all six invariants, and its trace has every call", async () => {
    const trace = join(scratch, "trace.jsonl");
    const demo = await startDemo("--tier", "directory", "--trace", trace);
    await assertKeepsAll(demo);
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
      const before = ownMounts();
      const demo = await startDemo("--tier", "directory");
      await untilMounted(demo);
      const others = descendantsOf(demo.pid);
      demo.kill(signal);
      const [code] = await once(demo, "close");
      assert.equal(code, exitCode);
      assert.match(
        demo.output(),
        new RegExp(`stopped by ${signal}; no process, mount or file of the lab is left\n$`),
      );
      await Promise.all(others.map(untilGone));
      assert.equal(ownMounts(), before);
    });
  }

  for (const moment of ["", "\n", "CreateVolume", "NodeUnstageVolume"]) {
    test(`SIGINT ${moment === "" ? "right after its start" : `once it has said ${JSON.stringify(moment)}`} leaves nothing`, async () => {
      const before = ownMounts();
      const demo = await startDemo("--tier", "directory");
      await untilSaid(demo, moment);
      const others = descendantsOf(demo.pid);
      demo.kill("SIGINT");
      const [code, signal] = await once(demo, "close");
      // Before the program runs there is nobody to handle a signal.
      assert.ok(code === 130 || signal === "SIGINT", `${code} ${signal}: ${demo.output()}`);
      await Promise.all(others.map(untilGone));
      assert.equal(ownMounts(), before);
    });
  }

  test("a demo in which an invariant does not hold says which and why, and exits 1", async () => {
    const manifests = scratchDirectory("manifests");
    for (const name of ["csidriver", "deployment", "pvc", "storageclass-directory"]) {
      const text = readFileSync(join(import.meta.dirname, `../examples/${name}.yaml`), "utf8");
      // Then nothing is deleted, and there is nothing to judge.
      writeFileSync(
        join(manifests, `${name}.yaml`),
        text.replace("reclaimPolicy: Delete", "reclaimPolicy: Retain"),
      );
    }
    const demo = await startDemo("--tier", "directory", "--manifests", manifests);
    const [code] = await once(demo, "close");
    assert.equal(code, 1, demo.output());
    assert.match(demo.output(), /✗ 5 {2}DeleteVolume only when .*\n *why: no volume was deleted/);
    assert.match(demo.output(), /5 of 6 invariants hold; broken: 5\n$/);
  });

  test("SIGKILL in the middle leaves no mount and no process", async () => {
    const before = ownMounts();
    const demo = await startDemo("--tier", "directory");
    await untilMounted(demo);
    const others = descendantsOf(demo.pid);
    assert.ok(others.length >= 5, "the lab, its controller and three nodes run");
    demo.kill("SIGKILL");
    // The output ends when the last process that holds it has ended: the lab's own.
    await once(demo, "close");
    await Promise.all(others.map(untilGone));
    assert.equal(ownMounts(), before);
  });

  test("a driver's process that dies ends the demo with its name and last words, and exit code 1", async () => {
    const before = ownMounts();
    const demo = await startDemo("--tier", "directory");
    await untilMounted(demo);
    const others = descendantsOf(demo.pid);
    const node2 = others.find((pid) => {
      const [program = "", ...words] = commandOf(pid);
      return basename(program) === "node" && words.includes("node") && words.includes("node-2");
    });
    assert.ok(node2 !== undefined, "node-2 runs");
    process.kill(node2, "SIGKILL");
    const [code] = await once(demo, "close");
    assert.equal(code, 1, demo.output());
    assert.match(demo.output(), /node-2 has ended; the end of its log:\n +\{"/);
    assert.match(demo.output(), /\nberth: .*node-2 has ended.*\n$/);
    await Promise.all(others.map(untilGone));
    assert.equal(ownMounts(), before);
  });

  test("a demo without its manifests says which is missing, and exits 2", async () => {
    const demo = await startDemo("--tier", "directory", "--manifests", scratch);
    const [code] = await once(demo, "close");
    assert.equal(code, 2);
    assert.match(demo.output(), /no Deployment: the lab needs the one that mounts the claim/);
  });
}
