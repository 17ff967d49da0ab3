/** The messages and services that we generate are CSI v1.12's, and kubelet's, to the number. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type DescEnum, type DescField, type DescMessage, hasOption, ScalarType } from "@bufbuild/protobuf";
import { csi_secret, file_csi_v1_csi } from "../src/gen/csi/v1/csi_pb.ts";
import { file_pluginregistration_v1_registration } from "../src/gen/pluginregistration/v1/registration_pb.ts";
import { scratchDirectory } from "../tools/scratch.ts";

interface WireTable {
  readonly services: Record<
    string,
    { name: string; request: string; response: string; serverStreaming?: boolean }[]
  >;
  readonly messages: Record<string, { number: number; name: string; type: string; oneof?: string }[]>;
  readonly enums: Record<string, Record<string, number>>;
}

const root = join(import.meta.dirname, "..");
const table: WireTable = JSON.parse(readFileSync(join(root, "proto/csi/v1/wire-table.json"), "utf8"));
const messages = new Map(file_csi_v1_csi.messages.flatMap(withNested).map((desc) => [localName(desc), desc]));
const enums = new Map(
  [...file_csi_v1_csi.enums, ...[...messages.values()].flatMap(({ nestedEnums }) => nestedEnums)].map(
    (desc) => [localName(desc), desc],
  ),
);

test("the package is csi.v1", () => assert.equal(file_csi_v1_csi.proto.package, "csi.v1"));

test("the messages are those of CSI v1.12", () =>
  assert.deepEqual([...messages.keys()].sort(), Object.keys(table.messages).sort()));

for (const [name, fields] of Object.entries(table.messages)) {
  test(`the fields of ${name} have CSI's numbers, types and oneofs`, () => {
    const desc = messages.get(name);
    assert.ok(desc);
    const wanted = fields.map(({ number, name, type, oneof }) => ({
      number,
      name,
      // The table gives a type within the message it is used in, as the .proto text does.
      type: qualified(type, desc),
      oneof,
    }));
    assert.deepEqual(desc.fields.map(wireForm), wanted);
  });
}

test("the enums are those of CSI v1.12", () =>
  assert.deepEqual([...enums.keys()].sort(), Object.keys(table.enums).sort()));

for (const [name, values] of Object.entries(table.enums)) {
  test(`the values of ${name} have CSI's numbers`, () => {
    const found = enums.get(name)?.values.map((value) => [value.name, value.number]);
    assert.deepEqual(Object.fromEntries(found ?? []), values);
  });
}

test("the services are those of CSI v1.12", () =>
  assert.deepEqual(
    file_csi_v1_csi.services.map(({ name }) => name),
    Object.keys(table.services),
  ));

for (const [name, methods] of Object.entries(table.services)) {
  test(`the methods of ${name} have CSI's messages`, () => {
    const found = file_csi_v1_csi.services.find((service) => service.name === name);
    assert.deepEqual(
      found?.methods.map((method) => ({
        name: method.name,
        request: localName(method.input),
        response: localName(method.output),
        ...(method.methodKind === "server_streaming" && { serverStreaming: true }),
      })),
      methods,
    );
  });
}

test("every field named secrets, and no other, is marked as a secret", () => {
  const fields = [...messages.values()].flatMap((desc) => desc.fields);
  const marked = fields.filter((field) => hasOption(field, csi_secret));
  assert.deepEqual(
    marked,
    fields.filter(({ name }) => name === "secrets"),
  );
  assert.ok(marked.length > 0);
});

test("kubelet's registration has kubelet's names and numbers", () => {
  const [service] = file_pluginregistration_v1_registration.services;
  assert.equal(service?.typeName, "pluginregistration.Registration");
  assert.deepEqual(
    service.methods.map(({ name, input, output }) => `${name}(${input.name}) ${output.name}`),
    [
      "GetInfo(InfoRequest) PluginInfo",
      "NotifyRegistrationStatus(RegistrationStatus) RegistrationStatusResponse",
    ],
  );
  const fields = file_pluginregistration_v1_registration.messages.flatMap((desc) =>
    desc.fields.map((field) => `${desc.name}.${field.name} = ${field.number}: ${wireForm(field).type}`),
  );
  assert.deepEqual(fields, [
    "PluginInfo.type = 1: string",
    "PluginInfo.name = 2: string",
    "PluginInfo.endpoint = 3: string",
    "PluginInfo.supported_versions = 4: repeated string",
    "RegistrationStatus.plugin_registered = 1: bool",
    "RegistrationStatus.error = 2: string",
  ]);
});

describe("the committed code and .proto files", () => {
  test("are what buf generates anew", () => {
    const fresh = scratchDirectory("gen");
    buf("generate", "--output", fresh);
    assert.deepEqual(treeOf(join(root, "src/gen")), treeOf(join(fresh, "src/gen")));
  });

  test("are formatted and lint clean", () => {
    buf("lint");
    buf("format", "--diff", "--exit-code");
  });
});

function withNested(desc: DescMessage): DescMessage[] {
  return [desc, ...desc.nestedMessages.flatMap(withNested)];
}

/** `VolumeCapability.AccessMode`: the name within the package. */
function localName(desc: DescMessage | DescEnum): string {
  return desc.typeName.replace(/^csi\.v1\./, "");
}

function wireForm(field: DescField) {
  return { number: field.number, name: field.name, type: typeOf(field), oneof: field.oneof?.name };
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case "scalar":
      return scalarName(field.scalar);
    case "enum":
      return localName(field.enum);
    case "message":
      return localName(field.message);
    case "list":
      if (field.listKind === "scalar") return `repeated ${scalarName(field.scalar)}`;
      return `repeated ${localName(field.listKind === "enum" ? field.enum : field.message)}`;
    case "map":
      assert.ok(field.mapKind === "scalar");
      return `map<${scalarName(field.mapKey)},${scalarName(field.scalar)}>`;
  }
}

function scalarName(scalar: ScalarType): string {
  return ScalarType[scalar].toLowerCase();
}

/** The type that a name means within a message: the innermost that has it. */
function qualified(type: string, within: DescMessage): string {
  const [, label = "", name = ""] = /^(repeated )?\.?(.*)$/.exec(type) ?? [];
  for (let scope: DescMessage | undefined = within; scope !== undefined; scope = scope.parent) {
    const candidate = `${localName(scope)}.${name}`;
    if (messages.has(candidate) || enums.has(candidate)) return label + candidate;
  }
  return label + name;
}

function buf(...args: string[]): void {
  const bin = join(root, "node_modules/.bin");
  execFileSync(join(bin, "buf"), args, {
    cwd: root,
    env: { ...process.env, PATH: `${bin}:${process.env["PATH"]}` },
  });
}

function treeOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = files.map((file) => join(file.parentPath, file.name)).sort();
  assert.ok(paths.length > 0);
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length), readFileSync(path, "utf8")]));
}
