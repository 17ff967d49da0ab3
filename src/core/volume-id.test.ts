import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BerthError, hasCode } from "./errors.ts";
import { limits } from "./limits.ts";
import {
  parseVolumeId,
  parseVolumeName,
  printVolumeId,
  type VolumeId,
  volumeNameOf,
  volumeProtocols,
  volumeTypes,
} from "./volume-id.ts";

const invalid = (reason: unknown): boolean => hasCode(reason, "invalid-argument");
const safeComponent = /^[A-Za-z0-9._~-]{1,64}$/;

/** Names of which CSI says that a plugin must take them: any Unicode but control characters. */
const csiNames = fc
  .oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 64 }),
    fc.string({
      unit: fc.constantFrom("a", "Z", "0", ".", "-", "_", "~", " ", "é"),
      minLength: 1,
      maxLength: 80,
    }),
  )
  .filter((name) => Buffer.byteLength(name) <= limits.csiStringBytesMax)
  .filter((name) => !/[\p{Cc}/]/u.test(name) && name !== "." && name !== "..");

const sources = fc.string({ unit: "binary", minLength: 1, maxLength: 60 });

const ids: fc.Arbitrary<VolumeId> = fc.record(
  {
    type: fc.constantFrom(...volumeTypes),
    protocol: fc.constantFrom(...volumeProtocols),
    name: csiNames.map(volumeNameOf),
    source: sources,
  },
  { noNullPrototype: true },
);

function printed(id: VolumeId): string | undefined {
  try {
    return printVolumeId(id);
  } catch (reason) {
    assert.ok(invalid(reason), `${reason}`);
    return undefined;
  }
}

describe("a volume id", () => {
  test("is printed as in the experiment", () => {
    const name = volumeNameOf("pvc-acce141b-5bcb-4d6a-9f3e-8e4a1c7d0b11");
    assert.equal(
      printVolumeId({ type: "filestore", protocol: "nfs", name, source: "csi-202406110748" }),
      "filestore/nfs/pvc-acce141b-5bcb-4d6a-9f3e-8e4a1c7d0b11/csi-202406110748",
    );
  });

  test("that was printed is parsed as the same four parts, or was refused as too long", () => {
    fc.assert(
      fc.property(ids, (id) => {
        const text = printed(id);
        if (text !== undefined) assert.deepEqual(parseVolumeId(text), id);
      }),
    );
  });

  test("never exceeds 128 bytes, nor has any part but four", () => {
    fc.assert(
      fc.property(ids, (id) => {
        const text = printed(id);
        if (text === undefined) return;
        assert.ok(Buffer.byteLength(text) <= 128);
        assert.equal(text.split("/").length, 4);
      }),
    );
  });

  test("of exactly 128 bytes is printed, of 129 refused", () => {
    const name = volumeNameOf("n".repeat(64));
    const id = (source: string): VolumeId => ({ type: "directory", protocol: "bind", name, source });
    const room = 128 - Buffer.byteLength(printVolumeId(id("s"))) + 1;
    assert.equal(printVolumeId(id("s".repeat(room))).length, 128);
    assert.throws(() => printVolumeId(id("s".repeat(room + 1))), invalid);
  });

  test("is only what the printer prints: whatever else is parsed would be two ids for one volume", () => {
    const texts = fc.oneof(
      fc.string({ unit: "binary", maxLength: 100 }),
      fc
        .tuple(
          fc.constantFrom("directory", "Directory", "export", "nfs", ""),
          fc.constantFrom("bind", "nfs", "%62ind", ""),
          fc.constantFrom("pvc-1", "%70vc-1", "..", "a%2Fb", "%00", "pvc-1%", ".berth", ""),
          fc.constantFrom("default", "a%2fb", "a%2Fb", "%E0%A4%A", "é", "", "x y"),
        )
        .map((parts) => parts.join("/")),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const id = parseVolumeId(text);
        if (id !== undefined) assert.equal(printVolumeId(id), text);
      }),
    );
  });

  for (const text of [
    "",
    "/",
    "///",
    "pvc-1",
    "directory/bind/pvc-1",
    "directory/bind/pvc-1/",
    "directory/bind/pvc-1/default/",
    "/directory/bind/pvc-1/default",
    "directory/bind/../default",
    "directory/bind/./default",
    "directory/bind/a%2Fb/default",
    "directory/bind/%2e%2e/default",
    "directory/bind/x%00/default",
    "directory/bind/.berth/default",
    "directory/bind/pvc-1/a%2fb",
    "directory/bind/pvc-1/%",
    "directory/bind/pvc-1/%FF",
    "directory/bind/pvc-1/default\n",
    "Directory/bind/pvc-1/default",
    "constructor/nfs/pvc-1/nas",
    "export/__proto__/pvc-1/nas",
    `directory/bind/${"n".repeat(65)}/default`,
    `directory/bind/pvc-1/${"s".repeat(128)}`,
    "nas.example#share#pvc-1#uuid#delete",
    "10.0.0.5/k8s/pvc-1",
    "projects/p/locations/z/instances/i/volumes/v",
  ]) {
    test(`is not ${JSON.stringify(text.slice(0, 60))}`, () => assert.equal(parseVolumeId(text), undefined));
  }
});

describe("the name of a volume", () => {
  test("that is plain stands as it is, up to 64 characters", () => {
    for (const name of ["pvc-1", "A", "0", "a.b_c-d", "a..", "n".repeat(64)]) {
      assert.equal(volumeNameOf(name), name);
    }
  });

  for (const [what, name] of [
    ["65 plain characters", "n".repeat(65)],
    ["128 plain characters", "n".repeat(128)],
    ["128 bytes of emoji", "🚢".repeat(32)],
    ["a blank", " "],
    ["dots that are no path", "..."],
    ["a hidden file", ".berth"],
    ["an option", "-rf"],
    ["what looks like a digest", `pvc~${"a".repeat(26)}`],
    ["a backslash and a star", "a\\*"],
    ["right-to-left text", "\u202Etxt.exe"],
  ] as const) {
    test(`of ${what} is a readable start and a digest`, () => {
      const made = volumeNameOf(name);
      assert.match(made, /^([A-Za-z0-9][A-Za-z0-9._-]{0,31})?~[a-z2-7]{26}$/);
      assert.equal(parseVolumeName(made), made);
    });
  }

  for (const [what, name, cause] of [
    ["empty", "", /is empty/],
    ["129 bytes", "n".repeat(129), /longer than 128 bytes/],
    ["33 emoji", "🚢".repeat(33), /longer than 128 bytes/],
    ["a path up", "../x", /is a path/],
    ["a path down", "a/b", /is a path/],
    ["the directory itself", ".", /is a path/],
    ["its parent", "..", /is a path/],
    ["a name with NUL", "a\0b", /control character/],
    ["a name with a newline", "a\nb", /control character/],
    ["a name with a C1 control character", "a\u0085b", /control character/],
  ] as const) {
    test(`is not ${what}`, () => {
      assert.throws(
        () => volumeNameOf(name),
        (reason) => invalid(reason) && reason instanceof BerthError && cause.test(reason.message),
      );
    });
  }

  test("is one safe component of a path, whatever was asked for", () => {
    fc.assert(
      fc.property(csiNames, (name) => {
        const made = volumeNameOf(name);
        assert.match(made, safeComponent);
        assert.ok(made !== "." && made !== ".." && made !== ".berth");
        assert.equal(parseVolumeName(made), made);
      }),
    );
  });

  test("is a different one for a different request, plain or digest", () => {
    fc.assert(
      fc.property(csiNames, csiNames, (one, other) => {
        fc.pre(one.isWellFormed() && other.isWellFormed()); // gRPC carries no other text
        assert.equal(volumeNameOf(one) === volumeNameOf(other), one === other);
      }),
    );
  });

  test("in digest form is nobody's plain name: to ask for its text gives another", () => {
    fc.assert(
      fc.property(csiNames, (name) => {
        const made = volumeNameOf(name);
        if (made !== name) assert.notEqual(volumeNameOf(made), made);
      }),
    );
  });

  for (const text of [
    "",
    ".",
    "..",
    "a/b",
    ".berth",
    "a\0",
    "pvc-1\n",
    "é",
    "~",
    `~${"a".repeat(25)}`,
    "n".repeat(65),
  ]) {
    test(`cannot be read from ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseVolumeName(text), invalid));
  }
});
