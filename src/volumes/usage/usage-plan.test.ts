import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNonce } from "../../core/nonce.ts";
import type { UsageRecord } from "../../core/usage-record.ts";
import { type Measured, planNext, usagePaceDefaults } from "./usage-plan.ts";

const hourMs = 3_600_000;
const nowMs = 1_700_000_000_000;
const old = nowMs - 1000 * hourMs;
const measured: Measured = { usedBytes: 10n, usedInodes: 1n, measuredMs: nowMs, durationMs: 0 };

function before(quietRounds: number, usedBytes = 10n): UsageRecord {
  const nonce = randomNonce();
  return { ...measured, nonce, usedBytes, approximate: false, quietRounds, nextMs: nowMs };
}

function waitMs(
  of: Partial<Measured>,
  last: UsageRecord | undefined,
  createdMs = old,
): { waitMs: number; quietRounds: number } {
  const all = { ...measured, ...of };
  const { nextMs, quietRounds } = planNext(all, last, createdMs, usagePaceDefaults);
  return { waitMs: nextMs - all.measuredMs - all.durationMs, quietRounds };
}

test("a volume that changes is measured at each interval", () => {
  assert.deepEqual(waitMs({}, before(3, 9n)), { waitMs: hourMs, quietRounds: 0 });
  assert.deepEqual(waitMs({}, undefined), { waitMs: hourMs, quietRounds: 0 });
});

test("a volume that does not change is measured less and less often, down to an eighth", () => {
  for (const [rounds, hours] of [
    [0, 2],
    [1, 4],
    [2, 8],
    [3, 8],
  ] as const)
    assert.equal(waitMs({}, before(rounds)).waitMs, hours * hourMs);
});

test("a new volume is measured after a minute, and then whenever its age has doubled", () => {
  assert.equal(waitMs({}, undefined, nowMs).waitMs, 60_000);
  assert.equal(waitMs({}, undefined, nowMs - 300_000).waitMs, 300_000);
});

test("a volume that takes long is measured so much less often", () => {
  assert.equal(waitMs({ durationMs: 10 * 60_000 }, before(0, 9n)).waitMs, 200 * 60_000);
});
