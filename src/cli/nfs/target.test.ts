import assert from "node:assert/strict";
import { test } from "node:test";
import { hasCode } from "../../core/errors.ts";
import { isTarget, parseTarget } from "./target.ts";

test("a URL and the short form name server, path and how to connect", () => {
  assert.deepEqual(parseTarget("nas:/srv/data"), { host: "nas", path: "/srv/data" });
  assert.deepEqual(parseTarget("[fd00::1]:/srv"), { host: "fd00::1", path: "/srv" });
  assert.deepEqual(
    parseTarget("nfs://nas:20490/srv/a%20b?version=3&sourcePort=reserved&uid=1000&gid=100&mountPort=20480"),
    {
      ...{
        host: "nas",
        port: 20490,
        path: "/srv/a b",
        versions: ["3"],
        sourcePort: "reserved",
        mountPort: 20480,
      },
      credentials: { uid: 1000, gid: 100, gids: [] },
    },
  );
});

test("what is no target is refused as an invalid argument", () => {
  const wrong = ["", "nas", "/srv", "nas:srv", "nfs:///srv", "nfs://nas/?version=5", "nfs://nas/?uid=-1"];
  for (const text of [...wrong, "nfs://nas/?verison=3", "nfs://nas/%ff", "nfs://nas/?uid=4294967296"]) {
    assert.throws(
      () => parseTarget(text),
      (error) => hasCode(error, "invalid-argument"),
      text,
    );
  }
  assert.equal(isTarget("./local:/file"), false);
});
