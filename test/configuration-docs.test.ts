/** docs/configuration.md: every key of the schema is there with its default, and no other; its example is taken. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { parseConfig } from "../src/cli/config/config.ts";
import { configSchema } from "../src/cli/config/config-schema.ts";
import { createProgram } from "../src/cli/program.ts";

const page = readFileSync(join(import.meta.dirname, "../docs/configuration.md"), "utf8");
const [, example = ""] = /```yaml\n(.*?)```/s.exec(page) ?? [];

/** As the page writes it: – where the key must be there, none where it may be missing. */
interface Key {
  readonly key: string;
  readonly standard: string;
}

const field = (of: unknown, key: string): unknown => Object(of)[key];

/** A schema without what makes it optional or a list. */
function core(schema: unknown): unknown {
  const inner = field(schema, "wrapped") ?? field(schema, "item");
  return inner === undefined ? schema : core(inner);
}

function standardOf(schema: unknown): string {
  if (field(schema, "wrapped") === undefined) return "–";
  const standard = field(schema, "default");
  return standard === undefined ? "none" : `\`${JSON.stringify(standard)}\``;
}

/** The keys of a mapping, and below each those of the mapping, or of the entries of the list, that it has. */
function keysOf(schema: unknown, prefix = ""): Key[] {
  const entries = Object.entries<unknown>(Object(field(core(schema), "entries")));
  return entries.flatMap(([name, entry]) => [
    { key: prefix + name, standard: standardOf(entry) },
    ...keysOf(entry, `${prefix}${name}.`),
  ]);
}

/** The keys in the tables of the page: those of a section under its name. */
function documented(): Key[] {
  return page.split(/^## /m).flatMap((section) => {
    const [, name] = /^`(\w+)`\n/.exec(section) ?? [];
    const rows = section.split("\n").filter((line) => line.startsWith("| `"));
    return rows.flatMap((row) => {
      const [, keys = "", , standard = ""] = row.split("|").map((cell) => cell.trim());
      const names = [...keys.matchAll(/`([\w.]+)`/g)].map(([, key = ""]) => key);
      return names.map((key) => ({ key: name === undefined ? key : `${name}.${key}`, standard }));
    });
  });
}

const byKey = (one: Key, other: Key) => (one.key < other.key ? -1 : 1);

test("the tables have every key of the schema with its default, and no others", () => {
  const keys = keysOf(configSchema);
  for (const key of ["cluster", "exports.tls.caFile", "reaper.entriesPerSecondMax", "ephemeral.exports"]) {
    assert.ok(
      keys.some((each) => each.key === key),
      `the schema is read wrong: ${key}`,
    );
  }
  assert.deepEqual(documented().sort(byKey), keys.sort(byKey));
});

test("the example has every key, and is taken as it stands", () => {
  const keysIn = (value: unknown, prefix: string): string[] => {
    if (Array.isArray(value)) return value.flatMap((each) => keysIn(each, prefix));
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, below]) => [
      prefix + key,
      ...keysIn(below, `${prefix}${key}.`),
    ]);
  };
  const shown = new Set(keysIn(parse(example), ""));
  assert.deepEqual(
    [...shown].sort(),
    keysOf(configSchema)
      .map(({ key }) => key)
      .sort(),
  );
  const { cluster, exports } = parseConfig(example, "configuration.md");
  assert.deepEqual([cluster, exports.map(({ name }) => name)], ["east-1", ["nas", "old"]]);
});

test("what the help of --config names is what a file has", () => {
  const sections = keysOf(configSchema).flatMap(({ key }) => (key.includes(".") ? [] : [key]));
  for (const name of ["controller", "node", "all"]) {
    const command = createProgram().commands.find((each) => each.name() === name);
    const help = command?.options.find(({ long }) => long === "--config")?.description ?? "";
    assert.deepEqual(help.replace(/^.*: /, "").split(", ").sort(), sections.sort(), name);
  }
});
