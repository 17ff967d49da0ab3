/** The program as it ships, started by the Node.js that a machine happens to have. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bundledProgram } from "./support/bundled.ts";

const root = join(import.meta.dirname, "..");
const { node, bundle } = await bundledProgram();

/** Node.js, which takes itself for another version. */
function runAs(version: string, ...words: string[]) {
  const pretend = `Object.defineProperties(process, {
    version: { value: "v${version}" }, versions: { value: { ...process.versions, node: "${version}" } },
  })`;
  const flags = ["--import", `data:text/javascript,${encodeURIComponent(pretend)}`];
  return spawnSync(node, [...flags, bundle, ...words], { encoding: "utf8" });
}

for (const version of ["20.20.2", "9.11.2", "23.11.1"]) {
  test(`Node.js ${version} is refused in one line that says which one is needed, and how to get it`, () => {
    const { status, stdout, stderr } = runAs(version, "version");
    assert.equal(status, 1);
    assert.equal(stdout, "");
    assert.match(stderr, new RegExp(`^berth: needs Node\\.js 24 or later, and this is v${version}; .*\n$`));
    assert.ok(stderr.includes(exportLine("README.md")), stderr);
  });
}

for (const version of ["24.0.0", "100.1.0"]) {
  test(`Node.js ${version} runs it`, () => {
    const { status, stdout, stderr } = runAs(version, "version");
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^berth /);
  });
}

test("what it needs is what package.json says", () => {
  const { engines }: { engines: { node: string } } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  assert.equal(engines.node, ">=24");
});

/** How a page says to get the right Node.js in a checkout. */
function exportLine(page: string): string {
  const text = readFileSync(join(root, page), "utf8");
  const [, line = ""] = /^make build && (export PATH="[^"]*")/m.exec(text) ?? [];
  return line;
}

for (const page of ["README.md", "docs/lab.md"]) {
  test(`the line of ${page} leads to a Node.js that runs it, on a machine with an older one or none`, () => {
    const script = `${exportLine(page)}\nnode ${JSON.stringify(bundle)} version`;
    const env = { PATH: "/usr/bin:/bin" };
    const { status, stderr } = spawnSync("sh", ["-ec", script], { cwd: root, env, encoding: "utf8" });
    assert.equal(status, 0, stderr);
  });
}
