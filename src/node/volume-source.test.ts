import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BerthError } from "../core/errors.ts";
import { nfsSourceText } from "./mounts/mount-source.ts";
import { type KnownShares, mountSourceOf, unmountSourceOf, type VolumeContext } from "./volume-source.ts";

const access = { uid: 0, gid: 0, tls: false };
const shares: KnownShares = {
  directories: new Map([["default", "/srv/berth"]]),
  exports: new Map([["nas", { server: "nas.example.com", share: "/k8s", access, mountOptions: "soft" }]]),
};

const textOf = (volumeId: string, context: VolumeContext) => {
  const source = mountSourceOf(volumeId, context, shares);
  assert.ok(source.kind === "nfs");
  return nfsSourceText(source);
};

for (const [what, volumeId, context, text] of [
  [
    "a configured export",
    "export/nfs/pvc-1/nas",
    { export: "nas", subDir: "a/pvc-1" },
    "nas.example.com:/k8s/a/pvc-1",
  ],
  ["an id without a context", "export/nfs/pvc-1/nas", {}, "nas.example.com:/k8s/pvc-1"],
  [
    "server and share",
    "export/nfs/p/10.0.0.5%3A%2F",
    { server: "10.0.0.5", share: "/", subDir: "p" },
    "10.0.0.5:/p",
  ],
  ["an IPv6 address", "by-hand", { server: "fd00::5", share: "/a", subDir: "b" }, "[fd00::5]:/a/b"],
  ["a share without subDir", "by-hand", { server: "nas", share: "/a" }, "nas:/a"],
  ["what kubelet adds", "x", { export: "nas", "csi.storage.k8s.io/pod.name": "p" }, "nas.example.com:/k8s"],
] as const) {
  test(`${what} leads to ${text}`, () => assert.equal(textOf(volumeId, context), text));
}

test("options of the export come before those of the class", () => {
  const source = mountSourceOf("by-hand", { export: "nas", mountOptions: "hard" }, shares);
  assert.ok(source.kind === "nfs");
  assert.deepEqual([source.exportOptions, source.mountOptions], ["soft", "hard"]);
});

for (const volumeId of ["export/nfs/pvc-1/nas.example.com%3A%2Fk8s", "by-hand"]) {
  test(`${volumeId}, which names a configured export by its place, is spoken to as the configuration says`, () => {
    const known = { server: "nas.example.com", share: "/k8s", access: { ...access, uid: 2000, port: 2050 } };
    const exports = new Map([["nas", { ...known, mountOptions: "soft" }]]);
    const context = { server: "nas.example.com", share: "/k8s", subDir: "d" };
    const source = mountSourceOf(volumeId, context, { ...shares, exports });
    assert.ok(source.kind === "nfs");
    assert.deepEqual([source.access, source.exportOptions], [known.access, "soft"]);
    assert.equal(source.configured, false, "its place is its name, and does not move");
  });
}

test("a volume that Berth made must have its record, one written by hand need not", () => {
  const recordOf = (volumeId: string) => {
    const source = mountSourceOf(volumeId, { export: "nas", subDir: "d" }, shares);
    return source.kind === "nfs" ? source.record : "none";
  };
  assert.equal(recordOf("export/nfs/pvc-1/nas"), ".berth/volumes/pvc-1/identity.json");
  assert.equal(recordOf("by-hand"), undefined);
});

test("no subDir leads out of the share or to Berth's own records, whatever is in it", () => {
  const component = fc.constantFrom("..", ".", "", ".berth", "a", "/", "\0", "b c", "é");
  fc.assert(
    fc.property(fc.array(component, { maxLength: 5 }), (parts) => {
      const subDir = parts.join("/");
      try {
        const text = textOf("by-hand", { server: "nas", share: "/a", subDir });
        const below = text.replace(/^nas:\/a\/?/, "").split("/");
        assert.ok(
          text === "nas:/a" || below.every((part) => !["", ".", "..", ".berth"].includes(part)),
          text,
        );
      } catch (reason) {
        assert.ok(reason instanceof BerthError && reason.code === "invalid-argument", String(reason));
      }
    }),
  );
});

for (const name of [".berth", ".BERTH", ".Berth", "\uff0eberth", ".be\u200brth", ".berth.", ".berth "]) {
  test(`${JSON.stringify(name)} may be Berth's own folder to a server, so neither subDir nor share leads there`, () => {
    const refused = { code: "invalid-argument", message: /leads into \.berth/ };
    for (const subDir of [name, `${name}/volumes`, `a/${name}`]) {
      assert.throws(() => textOf("by-hand", { server: "nas", share: "/a", subDir }), refused);
      assert.throws(() => textOf("by-hand", { server: "nas", share: `/${subDir}` }), refused);
      assert.throws(() => textOf("export/nfs/pvc-1/nas", { subDir }), refused);
    }
  });
}

test("an id alone tells on which export a mount must lie, as far as it is known", () => {
  assert.deepEqual(unmountSourceOf("export/nfs/pvc-1/nas", shares), { kind: "nfs", share: "/k8s" });
  assert.deepEqual(unmountSourceOf("export/nfs/pvc-1/gone", shares), { kind: "nfs", share: undefined });
  assert.deepEqual(unmountSourceOf("by-hand", shares), { kind: "nfs", share: undefined });
  assert.equal(unmountSourceOf("directory/bind/pvc-1/gone", shares), undefined);
});
