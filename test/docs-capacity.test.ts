/** The examples of docs/capacity.md, as they stand. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { parseConfig } from "../src/cli/config/config.ts";
import { parseOvercommit, ruleOf } from "../src/volumes/overcommit.ts";

const page = readFileSync(join(import.meta.dirname, "../docs/capacity.md"), "utf8");
const [configuration = "", storageClass = "", usage = ""] = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(
  ([, text = ""]) => text,
);

test("the configuration is read, and limits its export", () => {
  const [nas] = parseConfig(configuration, "capacity.md").exports;
  assert.deepEqual(nas?.overcommit, parseOvercommit("2"));
});

test("the class's own rule holds", () => {
  const { parameters }: { parameters: Record<string, string> } = parse(storageClass);
  assert.deepEqual(ruleOf(parameters, parseOvercommit("2")), parseOvercommit("1"));
});

test("what is said to be the default of usage is", () => {
  assert.deepEqual(parseConfig(usage, "capacity.md").usage, parseConfig("", "empty").usage);
});
