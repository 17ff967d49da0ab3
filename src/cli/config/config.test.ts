import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { scratchDirectory } from "../../../tools/scratch.ts";
import { BerthError } from "../../core/errors.ts";
import { parseConfig, readConfig } from "./config.ts";

const full = `
cluster: east-1
directories:
  - name: fast
    path: /srv/fast
    trashRetention: 7d
    overcommit: "1.5"
  - name: slow
    path: /srv/slow
exports:
  - name: nas
    server: fd00::5
    share: /k8s
    nfsVersion: "4.2"
    sourcePort: reserved
    mountOptions: nconnect=4,noatime
    trashRetention: 1d
reaper:
  interval: 30s
  entriesPerSecondMax: 500
ephemeral:
  exports: [nas]
usage:
  interval: 30m
  entriesPerSecondMax: 200
  timeShareMax: 0.1
`;

function messageOf(text: string): string {
  try {
    parseConfig(text, "berth.yaml");
  } catch (error) {
    assert.ok(error instanceof BerthError);
    assert.equal(error.code, "invalid-argument");
    return error.message;
  }
  return "accepted";
}

test("a full configuration is read", () => {
  assert.deepEqual(parseConfig(full, "berth.yaml"), {
    cluster: "east-1",
    directories: [
      {
        name: "fast",
        path: "/srv/fast",
        trashRetentionMs: 7 * 24 * 3_600_000,
        overcommit: { kind: "ratio", thousandths: 1500n },
      },
      { name: "slow", path: "/srv/slow", trashRetentionMs: 0, overcommit: { kind: "unlimited" } },
    ],
    exports: [
      {
        name: "nas",
        server: "fd00::5",
        share: "/k8s",
        nfsVersion: "4.2",
        sourcePort: "reserved",
        mountOptions: "nconnect=4,noatime",
        uid: 0,
        gid: 0,
        trashRetentionMs: 86_400_000,
        overcommit: { kind: "unlimited" },
      },
    ],
    reaper: { intervalMs: 30_000, entriesPerSecondMax: 500 },
    ephemeral: { exports: ["nas"] },
    usage: { enabled: true, intervalMs: 1_800_000, entriesPerSecondMax: 200, timeShareMax: 0.1 },
  });
});

test("an empty configuration is all defaults", () => {
  const { cluster, directories, reaper } = parseConfig("# nothing yet\n", "berth.yaml");
  assert.deepEqual([cluster, directories, reaper.intervalMs], ["default", [], 60_000]);
});

for (const { title, text, message } of [
  {
    title: "a typo in a key is met with the key that was meant",
    text: "directories:\n  - name: a\n    path: /a\n    trashRetension: 1d\n",
    message: "berth.yaml:4: directories[0].trashRetension: is no known key: did you mean trashRetention?",
  },
  {
    title: "a typo in a top-level key is met with the key that was meant",
    text: "\ndirectory:\n  - name: a\n    path: /a\n",
    message:
      "berth.yaml:2: directory: is no known key: known are cluster, directories, exports, reaper, usage, ephemeral",
  },
  {
    title: "letter case of a key matters, and the message says which was meant",
    text: "reaper:\n  Interval: 1m\n",
    message: "berth.yaml:2: reaper.Interval: is no known key: did you mean interval?",
  },
  {
    title: "a missing key is named where it belongs",
    text: "cluster: a\ndirectories:\n  - name: a\n",
    message: "berth.yaml:3: directories[0].path: is missing: add it",
  },
  {
    title: "a number where a text belongs is refused",
    text: "cluster: 5\n",
    message: 'berth.yaml:1: cluster: is 5: write a text (in quotes if it looks like a number: "5")',
  },
  {
    title: "an export that is Berth's own folder, in whatever case, is refused",
    text: "exports:\n  - {name: nas, server: nas, share: /k8s/.Berth/trash}\n",
    message:
      'berth.yaml:2: exports[0].share: is "/k8s/.Berth/trash": "/k8s/.Berth/trash" leads into .berth, where Berth ' +
      "keeps its records: name a directory outside it",
  },
  {
    title: "an overcommit that is no ratio is refused with what to write",
    text: 'directories:\n  - name: a\n    path: /a\n    overcommit: "0"\n',
    message:
      'berth.yaml:4: directories[0].overcommit: is "0": "0" is no ratio: write how often the capacity may be promised, ' +
      'from "0.001" to "9999.999" ("1.0": never more than there is), or "unlimited"',
  },
  {
    title: "mount options that no volume can have are refused by their place, and not repeated",
    text: "exports:\n  - {name: nas, server: nas, share: /k8s, mountOptions: 'hard,bg,pw=x'}\n",
    message:
      "berth.yaml:2: exports[0].mountOptions: is refused: bg, the 2nd option, would mount in the background, " +
      "after the call has been answered: leave it out",
  },
  {
    title: "an export for inline volumes that is not configured is refused",
    text: "ephemeral:\n  exports: [nas]\n",
    message:
      "berth.yaml:2: ephemeral.exports[0]: nas is no export of this file: name one of those under exports",
  },
  {
    title: "measuring more often than each minute is refused",
    text: "usage:\n  interval: 1s\n",
    message:
      'berth.yaml:2: usage.interval: is "1s": write a number and a unit, at least 1m: 30s, 10m, 24h or 7d',
  },
  {
    title: "a share of time beyond all of it is refused",
    text: "usage:\n  timeShareMax: 50\n",
    message:
      "berth.yaml:2: usage.timeShareMax: is 50: write 0.01 to 1, the part of all time that may go into measuring",
  },
  {
    title: "a mapping where a list belongs is refused",
    text: "directories:\n  name: a\n",
    message: 'berth.yaml:1: directories: is Object: write a list, each entry after "- "',
  },
  {
    title: "a text where a mapping belongs is refused",
    text: "reaper: 30s\n",
    message: 'berth.yaml:1: reaper: is "30s": write a mapping of lines "key: value"',
  },
  {
    title: "a cluster name with capitals is refused",
    text: "cluster: East\n",
    message: 'berth.yaml:1: cluster: is "East": write 1 to 63 of the characters a-z, 0-9 and "-"',
  },
  {
    title: "a duration without a unit is refused",
    text: 'reaper:\n  interval: "30"\n',
    message:
      'berth.yaml:2: reaper.interval: is "30": write a number and a unit, at least 1s: 30s, 10m, 24h or 7d',
  },
  {
    title: "a duration below the least is refused",
    text: "reaper:\n  interval: 5ms\n",
    message:
      'berth.yaml:2: reaper.interval: is "5ms": write a number and a unit, at least 1s: 30s, 10m, 24h or 7d',
  },
  {
    title: "a relative path is refused",
    text: "directories:\n  - name: a\n    path: srv/a\n",
    message: 'berth.yaml:3: directories[0].path: is "srv/a": write an absolute path, such as /srv/volumes',
  },
  {
    title: "a path that climbs is refused",
    text: "directories:\n  - name: a\n    path: /srv/../a\n",
    message:
      'berth.yaml:3: directories[0].path: is "/srv/../a": write it without "." and "..", "//" and a "/" at the end',
  },
  {
    title: "the whole machine is refused",
    text: "directories:\n  - name: a\n    path: /\n",
    message: 'berth.yaml:3: directories[0].path: is "/": choose a directory below /, such as /srv/volumes',
  },
  {
    title: "a rate of nothing is refused",
    text: "reaper:\n  entriesPerSecondMax: 0\n",
    message: "berth.yaml:2: reaper.entriesPerSecondMax: is 0: write at least 1",
  },
  {
    title: "two directories of one name are refused",
    text: "directories:\n  - { name: a, path: /a }\n  - { name: a, path: /b }\n",
    message: "berth.yaml:3: directories[1].name: a names /a too: choose another",
  },
  {
    title: "a directory within another is refused",
    text: "directories:\n  - { name: a, path: /a/b }\n  - { name: b, path: /a }\n",
    message:
      "berth.yaml:3: directories[1].path: /a and /a/b of a overlap: one's volumes would lie in the other; choose another",
  },
  {
    title:
      "two exports of one server that overlap are refused, also if one writes the port that goes without saying",
    text: "exports:\n  - { name: a, server: nas, share: /k8s, port: 2049 }\n  - { name: b, server: nas, share: /k8s/b }\n",
    message:
      "berth.yaml:3: exports[1].share: nas:/k8s/b and nas:/k8s of a overlap: one's volumes would lie in the other; choose another",
  },
  {
    title: "two exports of one server on another port that overlap are refused with the port",
    text: "exports:\n  - { name: a, server: nas, share: /k8s, port: 20490 }\n  - { name: b, server: nas, share: /k8s, port: 20490 }\n",
    message:
      "berth.yaml:3: exports[1].share: port 20490 of nas:/k8s and port 20490 of nas:/k8s of a overlap: one's volumes would lie in the other; choose another",
  },
  {
    title: "a key that is there twice is refused",
    text: "cluster: a\ncluster: b\n",
    message: "berth.yaml:2: cluster: stands here twice: keep one",
  },
  {
    title: "two documents are refused",
    text: "cluster: a\n---\ncluster: b\n",
    message: "berth.yaml:2: a second document begins here: keep one",
  },
  {
    title: "a list as the whole file is refused",
    text: "- cluster\n",
    message: 'berth.yaml:1: the file is a list: write a mapping of lines "key: value"',
  },
]) {
  test(title, () => assert.equal(messageOf(text), message));
}

test("two servers on one address, told apart by their ports, are two exports", () => {
  const text = `exports:
  - { name: a, server: nas, share: /k8s }
  - { name: b, server: nas, share: /k8s, port: 20490 }`;
  assert.deepEqual(
    parseConfig(text, "berth.yaml").exports.map(({ name, port }) => [name, port]),
    [
      ["a", undefined],
      ["b", 20490],
    ],
  );
});

test("every mistake is listed, one a line", () => {
  assert.deepEqual(
    messageOf("cluster: A\nreaper:\n  intervall: 1m\n")
      .split("\n")
      .map((line) => line.split(": ")[1]),
    ["cluster", "reaper.intervall"],
  );
});

test("aliases that explode are refused", () => {
  const level = (name: string, of: string) => `${name}: &${name} [${Array(10).fill(`*${of}`).join(",")}]\n`;
  const bomb = `a: &a [x,x,x,x]\n${level("b", "a")}${level("c", "b")}${level("d", "c")}`;
  assert.match(messageOf(bomb), /^berth\.yaml: Excessive alias count.*write it without aliases$/);
});

test("whatever the file holds, it is accepted or refused with a message", () => {
  const words = fc.constantFrom("cluster", "directories", "name", "path", "reaper", "/a", "1d", "__proto__");
  const marks = fc.constantFrom(
    ": ",
    "\n",
    "\n  ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "? ",
    "!x ",
    "---\n",
  );
  const texts = fc.array(fc.oneof(words, marks, fc.string({ unit: "binary" })), { maxLength: 20 });
  fc.assert(
    fc.property(texts, (parts) => {
      assert.notEqual(messageOf(parts.join("")), "");
    }),
  );
});

for (const [what, text, message] of [
  [
    "a binary file is refused, and not repeated",
    "cluster: a\n\x1b]0;x\x07: b\n",
    "berth.yaml:2: has bytes that are no text in UTF-8, or a control character: give a YAML file",
  ],
  [
    "bytes that are no UTF-8 are refused",
    "cluster: \ufffd\n",
    "berth.yaml:1: has bytes that are no text in UTF-8, or a control character: give a YAML file",
  ],
] as const) {
  test(what, () => {
    assert.throws(() => parseConfig(text, "berth.yaml"), { code: "invalid-argument", message });
  });
}

test("a file that is not there is named, with the reason", () => {
  assert.throws(() => readConfig("/nonexistent/berth.yaml"), {
    message: /^cannot read the configuration \/nonexistent\/berth\.yaml \(ENOENT.*\): give --config/,
  });
});

test("a file is read from disk", () => {
  const file = join(scratchDirectory("config"), "berth.yaml");
  writeFileSync(file, full);
  assert.equal(readConfig(file).cluster, "east-1");
});
