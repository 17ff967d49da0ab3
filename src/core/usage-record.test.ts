import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNonce } from "./nonce.ts";
import { decodeUsage, encodeUsage, type UsageRecord } from "./usage-record.ts";

const record: UsageRecord = {
  nonce: randomNonce(),
  usedBytes: 2n ** 60n + 1n,
  usedInodes: 17n,
  measuredMs: 1_700_000_000_000,
  durationMs: 12,
  approximate: true,
  quietRounds: 2,
  nextMs: 1_700_000_360_000,
};

test("a usage record is read as it was written", () => {
  assert.deepEqual(decodeUsage(encodeUsage(record), record.nonce), record);
});

test("a usage record of an earlier volume of the same name is none", () => {
  assert.equal(decodeUsage(encodeUsage(record), randomNonce()), undefined);
});

test("a usage record that was cut or edited beyond reading is none", () => {
  const content = encodeUsage(record);
  for (const length of [0, 1, 50, content.length - 3])
    assert.equal(decodeUsage(content.subarray(0, length), record.nonce), undefined);
  const edited = Buffer.from(content).toString().replace('"17"', '"-17"');
  assert.equal(decodeUsage(Buffer.from(edited), record.nonce), undefined);
});
