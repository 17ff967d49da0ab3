import assert from "node:assert/strict";
import { test } from "node:test";
import {
  limitBytes,
  overcommitProblem,
  parseOvercommit,
  printOvercommit,
  ruleOf,
  unlimited,
} from "./overcommit.ts";

for (const [text, limit, printed] of [
  ["2.0", 2000n, "2"],
  ["1", 1000n, "1"],
  ["0.5", 500n, "0.5"],
  ["1.125", 1125n, "1.125"],
  ["9999.999", 9_999_999n, "9999.999"],
] as const) {
  test(`overcommit ${text} promises ${limit} of 1000 bytes`, () => {
    const rule = parseOvercommit(text);
    assert.ok(rule.kind === "ratio");
    assert.equal(limitBytes(rule, 1000n), limit);
    assert.equal(printOvercommit(rule), printed);
  });
}

for (const text of ["", "0", "0.000", "-1", "2x", "1.2345", "10000", "1e3", "Infinity", " 2", "2,0", "²"]) {
  test(`overcommit ${JSON.stringify(text)} is refused with what to write`, () => {
    assert.match(overcommitProblem(text) ?? "", /is no ratio: write/);
    assert.throws(() => parseOvercommit(text), { code: "invalid-argument" });
  });
}

test("a class's rule goes before the share's, and without either there is no limit", () => {
  const ofShare = parseOvercommit("3");
  assert.deepEqual(ruleOf({ overcommit: "2" }, ofShare), parseOvercommit("2"));
  assert.deepEqual(ruleOf({ overcommit: "unlimited" }, ofShare), unlimited);
  assert.deepEqual(ruleOf({}, ofShare), ofShare);
  assert.deepEqual(ruleOf({}, undefined), unlimited);
});

test("a limit is exact beyond what a double holds", () => {
  const rule = parseOvercommit("1.001");
  assert.ok(rule.kind === "ratio");
  assert.equal(limitBytes(rule, 2n ** 62n), (2n ** 62n * 1001n) / 1000n);
});
