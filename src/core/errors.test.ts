import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BerthError, domainCodes, hasCode, isStorageCode, storageCodes } from "./errors.ts";

describe("an error from any caught value", () => {
  test("is the same error when it is one of ours", () => {
    const error = new BerthError("not-found", "there is none");
    assert.equal(BerthError.from(error), error);
  });

  test("is cancelled for a signal that fired", () => {
    const reason: unknown = AbortSignal.abort().reason;
    const error = BerthError.from(reason);
    assert.equal(error.code, "cancelled");
    assert.equal(error.cause, reason);
  });

  for (const reason of [new Error("password=hunter2"), "hunter2", undefined, null, { code: "not-found" }]) {
    test(`is internal for ${String(reason)}, keeps it as cause, and does not repeat its text`, () => {
      const error = BerthError.from(reason);
      assert.equal(error.code, "internal");
      assert.equal(error.cause, reason);
      assert.doesNotMatch(error.message, /hunter2|not-found/);
    });
  }
});

describe("a code", () => {
  test("is of the domain or of storage, never of both", () => {
    assert.deepEqual(domainCodes.filter(isStorageCode), []);
    assert.deepEqual(
      storageCodes.filter((code) => !isStorageCode(code)),
      [],
    );
  });

  test("is found only on errors of ours", () => {
    assert.ok(hasCode(new BerthError("aborted", "x"), "not-found", "aborted"));
    assert.ok(!hasCode(new BerthError("aborted", "x"), "not-found"));
    assert.ok(!hasCode(Object.assign(new Error("x"), { code: "aborted" }), "aborted"));
    assert.ok(!hasCode(undefined, "aborted"));
  });
});
