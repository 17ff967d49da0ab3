import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseDurationMs } from "./duration.ts";
import { hasCode } from "./errors.ts";

describe("a duration", () => {
  for (const [text, ms] of [
    ["0", 0],
    ["1ms", 1],
    ["250ms", 250],
    ["30s", 30_000],
    ["10m", 600_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    ["36500d", 3_153_600_000_000],
  ] as const) {
    test(`${text} is ${ms} ms`, () => assert.equal(parseDurationMs(text), ms));
  }

  for (const text of [
    "",
    "1",
    "0s",
    "-1s",
    "+1s",
    "1.5h",
    "01s",
    "1 h",
    " 1h",
    "1h ",
    "1h\n",
    "1H",
    "1w",
    "1h30m",
    "1e3s",
    "١s",
    "9".repeat(400),
  ]) {
    test(`is not ${JSON.stringify(text.slice(0, 40))}`, () =>
      assert.throws(
        () => parseDurationMs(text),
        (reason) => hasCode(reason, "invalid-argument"),
      ));
  }

  // A date that far away has no ISO 8601 text: a volume with it could never be deleted.
  for (const text of ["36501d", "999999999d"]) {
    test(`of more than a century is refused: ${text}`, () =>
      assert.throws(
        () => parseDurationMs(text),
        (reason) => hasCode(reason, "invalid-argument") && /36500d/.test(reason.message),
      ));
  }
});
