/** A scenario that cuts the power of a server and of a node, as `berth lab run` does it on real kernels. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../../src/lab/guest/process.ts";
import { bundledProgram } from "../support/bundled.ts";

const examples = join(import.meta.dirname, "../../examples");
const files = ["csidriver.yaml", "storageclass-export.yaml", "lab/power-cut.yaml"];

test("what a pod has synced outlives a power cut of the server and of its node", async () => {
  const { node, bundle } = await bundledProgram();
  const command = [node, bundle, "lab", "run", "--tier", "guests", "--nodes", "1"];
  const { exitCode, stdout, stderr } = await run([...command, ...files.map((file) => join(examples, file))], {
    timeoutMs: 240_000,
  });
  assert.equal(exitCode, 0, stdout + stderr);
  assert.match(stdout, /6 of 6 steps done\n$/);
});
