import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { scratchDirectory } from "../../../tools/scratch.ts";
import { nodeWarnings } from "./node-warnings.ts";

const directory = scratchDirectory("kubelet");

test("a node that runs as root on a kubelet's directory has nothing to be warned of", () => {
  assert.deepEqual(nodeWarnings(directory, 0), []);
});

test("a node that does not run as root, or whose kubelet's directory is none, is told at its start", () => {
  const file = join(directory, "file");
  writeFileSync(file, "");
  for (const path of [file, join(directory, "missing")]) {
    const [user = "", kubelet = "", ...more] = nodeWarnings(path, 65534);
    assert.match(user, /^runs as uid 65534, who may not mount: start it as root/);
    assert.equal(
      kubelet,
      `there is no directory ${path}: give --kubelet-dir the one that kubelet on this node has`,
    );
    assert.deepEqual(more, []);
  }
});
