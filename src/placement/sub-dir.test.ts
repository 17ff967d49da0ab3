import assert from "node:assert/strict";
import { test } from "node:test";
import { isShared, subDirOf } from "./sub-dir.ts";

const whom = { volumeName: "pvc-1", claim: { name: "data", namespace: "prod" } };

for (const [name, point] of [
  ["a control character", 0x07],
  ["one of the second set", 0x9b],
  ["a break of lines", 0x2028],
  ["a break of paragraphs", 0x2029],
  ["a blank without width", 0x200b],
  ["a mark of direction", 0x200f],
  ["an override of direction", 0x202e],
  ["an isolate of direction", 0x2066],
  ["a byte order mark", 0xfeff],
  ["an invisible hyphen", 0xad],
  ["an invisible tag", 0xe0061],
] as const) {
  const character = String.fromCodePoint(point);
  const number = `U+${point.toString(16).toUpperCase().padStart(4, "0")}`;
  const expected = {
    code: "invalid-argument",
    message: `StorageClass parameter subDir has the invisible character ${number}: leave it out`,
  };

  test(`${name} is refused in the class's text, by its number and never as it is`, () => {
    assert.throws(() => subDirOf(`a/${character}b`, whom), expected);
  });

  test(`${name} is refused in the value of a template`, () => {
    const volumeName = `a${character}b`;
    assert.throws(() => subDirOf("$" + "{pv.metadata.name}", { ...whom, volumeName }), expected);
  });
}

test("letters of every language, joiners and marks are names", () => {
  for (const path of ["می\u200cخواهم", "क्\u200dष", "données/Ünïcode", "日本", "❤\ufe0f"]) {
    assert.equal(subDirOf(path, whom), path);
  }
});

const template = (name: string): string => `\${${name}}`;
const [pv, namespace, name] = ["pv.metadata.name", "pvc.metadata.namespace", "pvc.metadata.name"].map(
  template,
);

for (const subDir of [
  `${namespace}/${name}`,
  `data/${namespace}`,
  `${namespace}`,
  `${pv}`,
  `data/${name}-${pv}`,
]) {
  test(`no two namespaces get the same directory by ${subDir}`, () => assert.equal(isShared(subDir), false));
}

for (const subDir of ["data", `data/${name}`, `${namespace}-${name}`, `${name}-${namespace}/data`]) {
  test(`two namespaces may get the same directory by ${subDir}`, () => assert.equal(isShared(subDir), true));
}
