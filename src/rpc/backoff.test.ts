import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs } from "./backoff.ts";

test("each wait is twice the one before, up to the bound, less a random part of up to half", () => {
  for (let attempt = 0; attempt < 2000; attempt++) {
    const fullMs = Math.min(5000, 50 * 2 ** attempt);
    const waits = Array.from({ length: 20 }, () => backoffMs(attempt, 50, 5000));
    assert.ok(
      waits.every((ms) => ms >= fullMs / 2 && ms <= fullMs),
      `${attempt}: ${waits}`,
    );
    assert.ok(new Set(waits).size > 1, "clients that lost a server together come back one by one");
  }
});
