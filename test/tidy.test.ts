/** What a reader of the tree may rely on, whoever wrote it. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");
const linesMax = 400;

const sources = globSync("{src,test,tools,bench}/**/*.ts", { cwd: root }).filter(
  (file) => !file.startsWith("src/gen/"),
);
const tests = sources.filter((file) => file.endsWith(".test.ts"));

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** `file:line` of each line that matches. */
function findLines(files: readonly string[], pattern: RegExp): string[] {
  return files.flatMap((file) =>
    read(file)
      .split("\n")
      .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  );
}

test("there are sources and tests to look at", () => {
  assert.ok(sources.includes("src/cli/main.ts"));
  assert.ok(tests.includes("test/tidy.test.ts"));
});

test("make runs every test, each in one of its two parts", () => {
  const makefile = read("Makefile");
  const parts = ["fast-tests", "nfs-tests"].flatMap((name) => {
    const [, patterns = ""] = new RegExp(`^${name} := (.*)$`, "m").exec(makefile) ?? [];
    return globSync(
      patterns.split(" ").map((pattern) => pattern.replaceAll("'", "")),
      { cwd: root },
    );
  });
  assert.deepEqual(parts.sort(), [...tests].sort());
});

test(`no file is longer than ${linesMax} lines`, () => {
  const long = sources.filter((file) => read(file).split("\n").length - 1 > linesMax);
  assert.deepEqual(long, []);
});

test("nothing is left to do later", () => {
  const words = new RegExp(["TO" + "DO", "FIX" + "ME", "X" + "XX"].map((word) => `\\b${word}\\b`).join("|"));
  assert.deepEqual(findLines(sources, words), []);
});

test("no test is skipped, or runs alone", () => {
  const marks = /\b(test|it|describe|suite)\.(only|skip|todo)\b|[{,]\s*(only|skip|todo):/;
  const others = tests.filter((file) => file !== "test/tidy.test.ts");
  assert.deepEqual(findLines(others, marks), []);
});

test("no linter or compiler rule is switched off", () => {
  const marks = new RegExp(["biome-" + "ignore", "@ts-" + "(ignore|expect-error|nocheck)"].join("|"));
  assert.deepEqual(findLines(sources, marks), []);
});

const manifest: Readonly<Record<string, Readonly<Record<string, string>> | undefined>> = JSON.parse(
  read("package.json"),
);
const dependencies = ["dependencies", "devDependencies", "optionalDependencies"].flatMap((group) =>
  Object.entries(manifest[group] ?? {}),
);

test("every dependency has an exact version", () => {
  assert.deepEqual(
    dependencies.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)),
    [],
  );
});

/** `| name | version | reason |` */
const row = /^\| `([^`]+)` +\| ([\d.]+) +\| (.+?) +\|$/gm;
const documented = [...read("docs/dependencies.md").matchAll(row)].map(
  ([, name = "", version = "", reason = ""]) => ({ name, version, reason }),
);

test("every dependency stands in docs/dependencies.md, with its version and a reason, and nothing else does", () => {
  const byName = (a: readonly string[], b: readonly string[]) => (String(a[0]) < String(b[0]) ? -1 : 1);
  assert.deepEqual(
    documented.map(({ name, version }) => [name, version]).sort(byName),
    [...dependencies].sort(byName),
  );
  assert.deepEqual(
    documented.filter(({ reason }) => reason.length < 20),
    [],
  );
});
