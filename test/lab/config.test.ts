/** berth lab run with a configuration of one's own for the driver. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { scratchDirectory } from "../../tools/scratch.ts";
import { bundledProgram } from "../support/bundled.ts";

const { node, bundle } = await bundledProgram();
const root = join(import.meta.dirname, "../..");
const scratch = scratchDirectory("lab-config");

function run(...args: string[]): { readonly code: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(node, [bundle, "lab", "run", ...args], {
    cwd: root,
    encoding: "utf8",
  });
  return { code: status, output: stdout + stderr };
}

function written(name: string, text: string): string {
  const file = join(scratch, name);
  writeFileSync(file, text);
  return file;
}

const share = "$" + "{share}";
const server = "$" + "{server}";
const look = written(
  "look.yaml",
  `kind: LabScenario
metadata: { name: look }
steps:
  - wait: { bound: example-test-pvc-2 }
  - node: { name: node-1, command: ls /mnt/share, expect: { stdout: "^volumes$" } }
  - node: { name: node-1, command: ls /mnt/share/volumes | wc -l, expect: { stdout: "^1$" } }`,
);
const manifests = ["csidriver.yaml", "storageclass-directory.yaml", "pvc.yaml"].map((file) =>
  join("examples", file),
);

test("the example with an inline volume runs in guests, as it says", () => {
  const text = readFileSync(join(root, "examples/lab/inline.yaml"), "utf8");
  const [, words = ""] = /^# berth lab run (.*)$/m.exec(text) ?? [];
  const { code, output } = run("--tier", "guests", ...words.split(" "));
  assert.equal(code, 0, output);
  assert.match(output, /in worker: 1000 700\n/);
  assert.match(output, / 8 of 8 steps done\n$/);
});

test("directories that the configuration names on the share are made, and its rules hold", () => {
  const path = `directories: [{ name: default, path: "${share}/volumes" }]`;
  const { code, output } = run(
    ...["--tier", "directory", "--config", written("good.yaml", path), ...manifests, look],
  );
  assert.equal(code, 0, output);
});

test("a mistake in the configuration exits 2 with its line, before anything starts", () => {
  const text = `cluster: lab\nexports:\n  - name: nas\n    server: ${server}\n    share: ${share}\n    uuid: 1\n`;
  const { code, output } = run(
    ...["--tier", "directory", "--config", written("typo.yaml", text), ...manifests, look],
  );
  assert.equal(code, 2, output);
  assert.match(output, /^berth: .*typo\.yaml:6: exports\[0\]\.uuid: is no known key: did you mean uid\?\n$/);
});

test("an export of the lab's server is refused where there is none, with what to do", () => {
  const text = `exports: [{ name: nas, server: "${server}", share: "${share}" }]`;
  const { code, output } = run(
    ...["--tier", "directory", "--config", written("nfs.yaml", text), ...manifests, look],
  );
  assert.equal(code, 1, output);
  assert.match(output, /names \$\{server\}, and the tier directory has no NFS server: take another tier/);
});
