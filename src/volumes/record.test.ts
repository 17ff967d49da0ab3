import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BerthError } from "../core/errors.ts";
import { parseNonce } from "../core/nonce.ts";
import { parseSharePath } from "../share/share-path.ts";
import {
  decodeDeleted,
  decodeIdentity,
  decodeSize,
  encodeRecord,
  type Identity,
  isOwnedBy,
  newDeleted,
  newIdentity,
  newSize,
} from "./record.ts";

const nonce = parseNonce("a".repeat(26));
const at = "2026-01-31T12:00:00.000Z";
const identity = newIdentity({
  cluster: "home",
  driver: "csi.berth.dev",
  id: "directory/bind/pvc-1/default",
  requestedName: "pvc-1",
  nonce,
  directory: {
    path: parseSharePath("pvc-1"),
    fsid: "7",
    fileid: "18446744073709551615",
    mode: "0777",
    uid: 0,
    gid: 4_294_967_294,
  },
  sizeBytes: "9223372036854775807",
  accessModes: ["MULTI_NODE_MULTI_WRITER"],
  mountFlags: ["noexec"],
  parameters: { type: "directory" },
  claim: { name: "data", namespace: "default" },
  trashRetentionMs: 0,
  createdAt: at,
});

/** What the record becomes when `change` has edited its JSON. */
function edited(change: (record: Record<string, unknown>) => unknown): Uint8Array {
  const record: Record<string, unknown> = JSON.parse(Buffer.from(encodeRecord(identity)).toString());
  return Buffer.from(JSON.stringify(change(record) ?? record));
}

function refusal(content: Uint8Array): string {
  try {
    decodeIdentity(content, ".berth/volumes/pvc-1/identity.json");
  } catch (error) {
    assert.ok(error instanceof BerthError);
    assert.equal(error.code, "failed-precondition");
    return error.message;
  }
  return "accepted";
}

describe("a record", () => {
  test("is read back as it was written, and is text for people", () => {
    const bytes = encodeRecord(identity);
    assert.deepEqual(decodeIdentity(bytes, "x"), identity);
    assert.match(Buffer.from(bytes).toString(), /^\{\n {2}"schema": 1,\n.*\n\}\n$/s);
    const size = newSize({ generation: 3, nonce, sizeBytes: "5", changedAt: at });
    assert.deepEqual(decodeSize(encodeRecord(size), "x"), size);
    const deleted = newDeleted({ nonce, deletedAt: at, purgeAfter: at });
    assert.deepEqual(decodeDeleted(encodeRecord(deleted), "x"), deleted);
  });

  test("of a later driver may hold more than this one knows", () => {
    const more = edited((record) => ({ ...record, quota: "hard" }));
    assert.deepEqual(decodeIdentity(more, "x"), identity);
  });

  for (const { title, content, where } of [
    { title: "that is empty", content: Buffer.alloc(0), where: "it is no JSON object" },
    { title: "of zeros, as a crash leaves it", content: Buffer.alloc(500), where: "it is no JSON object" },
    { title: "that is no UTF-8", content: Buffer.from([0x7b, 0xff, 0x7d]), where: "it is no JSON object" },
    { title: "that is a list", content: Buffer.from("[]"), where: "it is no JSON object|schema" },
    { title: "of another schema", content: edited((r) => ({ ...r, schema: 2 })), where: "schema" },
    { title: "without an owner", content: edited(({ cluster: _, ...r }) => r), where: "cluster" },
    {
      title: "with a nonce that climbs",
      content: edited((r) => ({ ...r, nonce: "../../x" })),
      where: "nonce",
    },
    {
      title: "with a size that is no number",
      content: edited((r) => ({ ...r, sizeBytes: "5x" })),
      where: "sizeBytes",
    },
    {
      title: "with a date that JavaScript cannot read",
      content: edited((r) => ({ ...r, createdAt: "2026-01-31T12:00:00.000+05" })),
      where: "createdAt",
    },
    { title: "of a negative size", content: edited((r) => ({ ...r, sizeBytes: "-1" })), where: "sizeBytes" },
    {
      title: "of 2^63 bytes",
      content: edited((r) => ({ ...r, sizeBytes: `${2n ** 63n}` })),
      where: "sizeBytes",
    },
    {
      title: "with a size as a number",
      content: edited((r) => ({ ...r, sizeBytes: 5 })),
      where: "sizeBytes",
    },
    {
      title: "with a fileid that is none",
      content: edited((r) => ({ ...r, directory: { ...identity.directory, fileid: "0x1" } })),
      where: "directory.fileid",
    },
    {
      title: "with an unknown access mode",
      content: edited((r) => ({ ...r, accessModes: ["ALL"] })),
      where: "accessModes.0",
    },
    {
      title: "kept for longer than a century",
      content: edited((r) => ({ ...r, trashRetentionMs: 1e16 })),
      where: "trashRetentionMs",
    },
    {
      title: "with a date that is none",
      content: edited((r) => ({ ...r, createdAt: "yesterday" })),
      where: "createdAt",
    },
  ]) {
    test(`${title} is refused with its path, what is wrong, and the remedy`, () =>
      assert.match(
        refusal(content),
        new RegExp(
          `^record \\.berth/volumes/pvc-1/identity\\.json cannot be read \\((${where}).*\\): restore it from a backup`,
        ),
      ));
  }

  test("that is cut anywhere is refused", () => {
    const whole = encodeRecord(identity);
    for (let length = 0; length < whole.length - 2; length += 1) {
      assert.notEqual(refusal(whole.subarray(0, length)), "accepted", `${length} bytes`);
    }
  });

  test("with any one byte changed is refused, or still a record of the right form", () => {
    const whole = encodeRecord(identity);
    fc.assert(
      fc.property(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 }), (index, byte) => {
        const changed = Uint8Array.from(whole);
        changed[index] = byte;
        let read: Identity | undefined;
        try {
          read = decodeIdentity(changed, "x");
        } catch (error) {
          assert.ok(error instanceof BerthError && error.code === "failed-precondition");
        }
        if (read !== undefined)
          assert.ok(BigInt(read.sizeBytes) < 2n ** 63n && /^[a-z2-7]{26}$/.test(read.nonce));
      }),
    );
  });

  test("belongs to a cluster and a driver, both", () => {
    const { cluster, driver } = identity;
    assert.ok(isOwnedBy(identity, { cluster, driver }));
    assert.ok(!isOwnedBy(identity, { cluster: "other", driver }));
    assert.ok(!isOwnedBy(identity, { cluster, driver: "other" }));
  });
});
