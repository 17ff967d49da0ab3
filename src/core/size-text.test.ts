import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesText } from "./size-text.ts";

for (const [bytes, text] of [
  [0n, "0 bytes"],
  [1023n, "1023 bytes"],
  [1024n, "1024 bytes (1 KiB)"],
  [1536n, "1536 bytes (1.5 KiB)"],
  [10n << 30n, "10737418240 bytes (10 GiB)"],
  [(100n << 30n) + 1n, "107374182401 bytes (100 GiB)"],
  [(1n << 63n) - 1n, "9223372036854775807 bytes (8192 PiB)"],
] as const) {
  test(`${bytes} is told as ${text}`, () => assert.equal(bytesText(bytes), text));
}
