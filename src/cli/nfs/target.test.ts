import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { scratchDirectory } from "../../../tools/scratch.ts";
import { hasCode } from "../../core/errors.ts";
import { isTarget, parseTarget } from "./target.ts";

/** All that a target says but its path as a text. */
function parsed(text: string) {
  const { path: _, ...rest } = parseTarget(text);
  return rest;
}

test("a URL and the short form name server, path and how to connect", () => {
  assert.deepEqual(parseTarget("nas:/srv/data"), { host: "nas", path: "/srv/data", names: ["srv", "data"] });
  assert.deepEqual(parsed("[fd00::1]:/srv"), { host: "fd00::1", names: ["srv"] });
  assert.deepEqual(parsed("nfs://[fe80::1%25eth0]:2050"), { host: "fe80::1%eth0", port: 2050, names: [] });
  assert.deepEqual(
    parsed(
      "nfs://nas:20490/srv/a%20b?version=3&sourcePort=reserved&uid=1000&gid=100&gids=4,5&mountPort=20480",
    ),
    {
      ...{ host: "nas", port: 20490, names: ["srv", "a b"], versions: ["3"] },
      ...{ sourcePort: "reserved", mountPort: 20480, credentials: { uid: 1000, gid: 100, gids: [4, 5] } },
    },
  );
});

test("names are what was written: nothing is folded, dropped or cut", () => {
  assert.deepEqual(parsed("nas:/srv/proj#1/what?/%41").names, ["srv", "proj#1", "what?", "%41"]);
  assert.deepEqual(parsed("nfs://nas/srv/proj%231/what%3F/100%25").names, ["srv", "proj#1", "what?", "100%"]);
  assert.deepEqual(parsed("nfs://nas/a\\b/tab\t/blank ").names, ["a\\b", "tab\t", "blank "]);
  assert.deepEqual(parsed("nfs://nas/\u00fc/%C3%BC/...").names, ["\u00fc", "\u00fc", "..."]);
});

test("a name that is no UTF-8 is written by its bytes", () => {
  assert.deepEqual(parseTarget("nfs://nas/srv/a%FF%25").names, ["srv", Buffer.from("a\xff%", "latin1")]);
  assert.equal(parseTarget("nfs://nas/srv/a%FF%25").path, "/srv/a%FF%25");
});

test("what would name something else than it says is refused, with the way to write it", () => {
  const refused: readonly [string, RegExp][] = [
    ["nfs://nas/srv/proj#1?version=3", /%23/],
    ["nfs://nas/srv/proj#", /%23/],
    ["nfs://nas/srv/what?", /%3F/],
    ["nfs://nas/srv/what?ever", /%3F/],
    ["nfs://nas/srv/what??uid=1", /%3F/],
    ["nfs://nas/srv/what?uid=1?", /%3F/],
    ["nfs://root@nas/srv", /\?uid=/],
    ["nfs://root:secret@nas/srv", /\?uid=/],
    ["nfs://nas/srv/proj/sub/..", /component/],
    ["nfs://nas/srv/proj/sub/%2e%2E/x", /component/],
    ["nfs://nas/srv/./x", /component/],
    ["nas:/srv/../x", /component/],
    ["nfs://nas/a%00b", /NUL/],
    ["nfs://nas/a%FF%00b", /NUL/],
    ["nas:/a\0b", /NUL/],
    ["nfs://nas/a%2Fb", /%2F/],
    ["nfs://nas/100%", /%25/],
    ["nfs://nas/?uid=1&uid=2", /more than once/],
    ["fd00::1:/srv", /\[fd00::1\]/],
    ["nfs://fd00::1/srv", /\[fd00::1\]/],
    ["nfs://nas:0/srv", /65535/],
    ["nfs://nas:65536/srv", /65535/],
    ["nfs://nas/?mountPort=0", /65535/],
  ];
  for (const [text, message] of refused) {
    assert.throws(
      () => parseTarget(text),
      (error) => hasCode(error, "invalid-argument") && message.test(error.message),
      text,
    );
  }
});

test("what is no file of certificates is refused without waiting for it", () => {
  const directory = scratchDirectory("certificates");
  const path = (name: string) => join(directory, name);
  execFileSync("mkfifo", [path("pipe")]);
  writeFileSync(path("empty"), "");
  for (const [file, message] of [
    [path("pipe"), /is no file of certificates/],
    ["/dev/zero", /is no file of certificates/],
    [directory, /is no file of certificates/],
    [path("empty"), /holds no certificate in PEM/],
    [path("missing"), /cannot be read \(ENOENT\)/],
  ] as const) {
    assert.throws(
      () => parseTarget(`nfs://nas/srv?tls=on&ca=${file}`),
      (error) => hasCode(error, "invalid-argument") && message.test(error.message),
      file,
    );
  }
});

test("what is no target is refused as an invalid argument", () => {
  const wrong = ["", "nas", "/srv", "nas:srv", "nfs:///srv", "nfs://nas/?version=5", "nfs://nas/?uid=-1"];
  for (const text of [
    ...wrong,
    "nfs://nas/?verison=3",
    "nfs://na s/",
    "nfs://nas/?uid=4294967296",
    "nfs://nas/?gids=1,,2",
  ]) {
    assert.throws(
      () => parseTarget(text),
      (error) => hasCode(error, "invalid-argument"),
      text,
    );
  }
  assert.equal(isTarget("./local:/file"), false);
});
