import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { knownOptions } from "./mount-option-table.ts";
import {
  generalOptionsProblem,
  mergeOptions,
  nfsOptionsProblem,
  optionsIn,
  optionsOfFlags,
} from "./mount-options.ts";

const ofClass = (text: string) => optionsIn(text, "of mountOptions");

test("a later layer replaces what an earlier one says on the same topic, and leaves the rest", () => {
  const merged = mergeOptions([
    ofClass("hard,timeo=600,lock,vers=3"),
    optionsOfFlags(["soft", "nolock,v4.1"]),
  ]);
  assert.deepEqual(merged.nfs, ["soft", "timeo=600", "nolock"]);
  assert.equal(merged.version, "4.1");
});

test("the kernel's general options are kept apart and in order, and those of fstab are left out", () => {
  const merged = mergeOptions([
    ofClass("ro,_netdev,noatime"),
    optionsOfFlags(["rw", "nofail,noauto,auto,defaults"]),
  ]);
  assert.deepEqual(
    merged.general.map(({ text }) => text),
    ["ro", "noatime", "rw"],
  );
  assert.deepEqual(merged.nfs, []);
});

test("a comma within quotes belongs to its option", () => {
  const context = 'context="system_u:object_r:container_file_t:s0:c1,c2"';
  for (const options of [optionsOfFlags([`hard,${context}`]), ofClass(`hard,${context}`)]) {
    assert.deepEqual(mergeOptions([options]).nfs, ["hard", context]);
  }
});

test("an option that is repeated with the same value contradicts nothing", () => {
  assert.deepEqual(mergeOptions([optionsOfFlags(["hard", "hard,vers=4.1", "nfsvers=4.1"])]).nfs, ["hard"]);
});

test("tcp is another name for a protocol, and each version has three", () => {
  assert.deepEqual(mergeOptions([ofClass("tcp")]).nfs, ["proto=tcp"]);
  for (const text of ["v4.0", "vers=4.0", "nfsvers=4.0"])
    assert.equal(mergeOptions([ofClass(text)]).version, "4.0");
});

const flags = "mount flag \\(spec\\.mountOptions of the PV, mountOptions of the class\\)";
for (const [what, given, message] of [
  [
    "an unknown one",
    ["hard", "x"],
    `^the 2nd ${flags} is none .*: use hard, soft, .*, vers, .*, strictatime$`,
  ],
  ["a value that does not fit", ["timeo=soon"], `^timeo, the 1st ${flags}, cannot have that value: .*number`],
  ["a value where none belongs", ["hard=1"], `^hard, the 1st ${flags}, has a value, and can have none`],
  ["no value where one belongs", ["timeo"], `^timeo, the 1st ${flags}, has no value: write timeo= with`],
  ["port 0, which is none", ["port=0"], "^port, the 1st .*: write port= with a port from 1 to 65535$"],
  ["a port beyond the last", ["mountport=65536"], "^mountport, the 1st .* from 1 to 65535$"],
  ["an unknown version", ["vers=5"], "^vers, the 1st .*: write vers= with 3, 4, 4.0, 4.1 or 4.2$"],
  ["an unknown version's name", ["v5"], `^the 1st ${flags} is none`],
  ["two versions", ["vers=3", "v4.1"], `^v4.1, the 2nd ${flags}, contradicts vers, the 1st: leave one`],
  ["hard and soft", ["hard,soft"], `^soft, the 1st ${flags}, contradicts hard, the 1st: leave one`],
  ["a shared superblock", ["sharecache"], "^sharecache, .*one superblock.*: leave it out$"],
  ["another address", ["addr=10.0.0.1"], "^addr, .*another address.*: leave it out$"],
  ["the background", ["bg"], "^bg, .*background"],
  ["UDP", ["udp"], "^udp, .*loses data"],
  ["UDP by its protocol", ["proto=udp"], "^proto, .*: write proto= with tcp or tcp6$"],
  ["a security that is none", ["sec=hunter2"], "^sec, .*: write sec= with sys, krb5, krb5i or krb5p$"],
  ["a quote without an end", ['hard"'], `^the 1st ${flags} is none`],
  ["a label's quote without an end", ['context="a,b'], "^context, the 1st"],
  ["an endless label", [`context=${"x".repeat(256)}`], "^context, the 1st"],
  ["a comma out of quotes", ["context=a:s0:c1,c2"], `^the 1st ${flags} is none`],
  ["capitals", ["HARD"], `^the 1st ${flags} is none`],
  ["a name of every object", ["constructor"], " is none "],
  ["the eleventh", [..."hard ac cto fg lock acl sync intr fsc ro".split(" "), "x"], "^the 11th "],
] as const) {
  test(`${what} is refused by its place, with the remedy`, () => {
    const problem = nfsOptionsProblem([optionsOfFlags(given)]);
    assert.match(problem ?? "", new RegExp(message));
    assert.doesNotMatch(problem ?? "", /hunter2|10\.0\.0\.1/);
    assert.throws(() => mergeOptions([optionsOfFlags(given)]), {
      code: "invalid-argument",
      message: problem,
    });
  });
}

test("the first and the last port may be named", () => {
  const { nfs } = mergeOptions([optionsOfFlags(["port=65535", "mountport=1"])]);
  assert.deepEqual(nfs, ["port=65535", "mountport=1"]);
});

test("a bind mount has the general options, and no other", () => {
  assert.equal(generalOptionsProblem(optionsOfFlags(["ro,noexec", "noatime"])), undefined);
  const problem = generalOptionsProblem(optionsOfFlags(["ro", "hard"]));
  assert.match(problem ?? "", new RegExp(`^hard, the 2nd ${flags}, is none .* directory .*: use ro, rw, `));
});

test("the manual lists every option that is known", () => {
  const manual = readFileSync(new URL("../../docs/nodes.md", import.meta.url), "utf8");
  const [, list = ""] = /^Known are: (.*?)\n\n/ms.exec(manual) ?? [];
  const listed = [...list.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  assert.deepEqual(listed.sort(), [...knownOptions.keys()].sort());
});

test("a refusal is short enough for the event of a claim", () => {
  const problem = nfsOptionsProblem([optionsOfFlags(["x"])]) ?? "";
  assert.ok(problem.length < 650, `${problem.length}`);
});

test("whatever an option holds, it is taken as one of the known ones or refused without being repeated", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 8 }), (secret) => {
      const problem = nfsOptionsProblem([optionsOfFlags([`timeo=${secret}`])]);
      if (problem === undefined) assert.match(secret, /^[0-9]{8,9}\s*$|^[0-9]{1,9}\s*,/);
      else assert.equal(problem.includes(secret), false);
    }),
  );
});
