import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { Effects } from "../core/call.ts";
import { BerthError, domainCodes, storageCodes } from "../core/errors.ts";
import { statusName, statusOf } from "./status.ts";

const untouched = new Effects();
const begun = new Effects();
begun.begin();

describe("a domain code", () => {
  for (const code of domainCodes) {
    const wanted = code.toUpperCase().replaceAll("-", "_");
    test(`${code} answers ${wanted}`, () =>
      assert.equal(statusName(statusOf(new BerthError(code, "x"), untouched).code), wanted));
    if (code === "internal") continue;
    test(`${code} answers ${wanted} after the first side effect too`, () =>
      assert.equal(statusName(statusOf(new BerthError(code, "x"), begun).code), wanted));
  }

  test("internal answers UNAVAILABLE after the first side effect, because INTERNAL is final", () =>
    assert.equal(statusOf(new BerthError("internal", "x"), begun).code, status.UNAVAILABLE));
});

describe("a storage code", () => {
  for (const [code, wanted] of [
    ["storage-access", status.PERMISSION_DENIED],
    ["storage-no-space", status.RESOURCE_EXHAUSTED],
    ["storage-quota", status.RESOURCE_EXHAUSTED],
    ["storage-read-only", status.FAILED_PRECONDITION],
    ["storage-not-a-directory", status.FAILED_PRECONDITION],
    ["storage-io", status.UNAVAILABLE],
    ["storage-stale", status.UNAVAILABLE],
    ["storage-unavailable", status.UNAVAILABLE],
    ["storage-busy", status.UNAVAILABLE],
  ] as const) {
    test(`${code} answers ${statusName(wanted)} before the first side effect`, () =>
      assert.equal(statusOf(new BerthError(code, "x"), untouched).code, wanted));
  }

  test("never answers NOT_FOUND or ALREADY_EXISTS: those speak of volumes", () => {
    for (const code of storageCodes) {
      const answer = statusOf(new BerthError(code, "x"), untouched).code;
      assert.ok(answer !== status.NOT_FOUND && answer !== status.ALREADY_EXISTS, code);
    }
  });

  for (const code of storageCodes) {
    test(`${code} answers UNAVAILABLE after the first side effect`, () =>
      assert.equal(statusOf(new BerthError(code, "x"), begun).code, status.UNAVAILABLE));
  }
});

describe("a status message", () => {
  test("has at most 4 KiB, no control character, and can be sent, whatever the error says", () => {
    const anyText = fc.string({ unit: "binary", maxLength: 6000 });
    const halfPairs = fc.string({ unit: fc.constantFrom("\ud83d", "\ude00", "a", "\n"), maxLength: 6000 });
    fc.assert(
      fc.property(fc.oneof(anyText, halfPairs), (text) => {
        const { details } = statusOf(new BerthError("internal", text), untouched);
        assert.ok(Buffer.byteLength(details) <= 4096);
        assert.doesNotMatch(details, /\p{Cc}/u);
        encodeURI(details); // as grpc-js does: it throws on half a surrogate pair
      }),
    );
  });

  test("is kept as it is when it is short and plain", () =>
    assert.equal(
      statusOf(new BerthError("internal", "share größe 文"), untouched).details,
      "share größe 文",
    ));

  test("says where it was cut", () => {
    const { details } = statusOf(new BerthError("internal", "文".repeat(2000)), untouched);
    assert.ok(details.endsWith("文…"));
    assert.ok(Buffer.byteLength(details) > 4090);
  });
});
