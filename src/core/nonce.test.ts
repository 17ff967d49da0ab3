import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { hasCode } from "./errors.ts";
import { base32, parseNonce, randomNonce } from "./nonce.ts";

describe("base 32", () => {
  // RFC 4648 §10, in lower case and without padding
  for (const [plain, encoded] of [
    ["", ""],
    ["f", "my"],
    ["fo", "mzxq"],
    ["foo", "mzxw6"],
    ["foob", "mzxw6yq"],
    ["fooba", "mzxw6ytb"],
    ["foobar", "mzxw6ytboi"],
  ] as const) {
    test(`of "${plain}" is "${encoded}"`, () => assert.equal(base32(Buffer.from(plain)), encoded));
  }

  test("of 16 bytes is the number that they are, in 26 digits", () => {
    const digits = "abcdefghijklmnopqrstuvwxyz234567";
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        let value = 0n;
        for (const digit of base32(bytes)) value = value * 32n + BigInt(digits.indexOf(digit));
        assert.equal(value >> 2n, BigInt(`0x${Buffer.from(bytes).toString("hex")}`)); // two bits of filling
      }),
    );
  });
});

describe("a nonce", () => {
  test("is 26 characters, and never the same twice", () => {
    const nonces = Array.from({ length: 100 }, randomNonce);
    for (const nonce of nonces) assert.equal(parseNonce(nonce), nonce);
    assert.equal(new Set(nonces).size, nonces.length);
  });

  for (const text of [
    "",
    "a".repeat(25),
    "a".repeat(27),
    "A".repeat(26),
    `${"a".repeat(25)}1`,
    `${"a".repeat(26)}\n`,
    "../".repeat(9),
  ]) {
    test(`is not ${JSON.stringify(text)}`, () =>
      assert.throws(
        () => parseNonce(text),
        (reason) => hasCode(reason, "invalid-argument"),
      ));
  }
});
