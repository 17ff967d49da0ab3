import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hasCode } from "./errors.ts";
import { KeyedLock } from "./keyed-lock.ts";

const fail = async (): Promise<never> => {
  throw new Error("the work failed");
};

describe("a keyed lock", () => {
  test("refuses a second call for a key, and says who holds it", async () => {
    const lock = new KeyedLock();
    const { promise, resolve } = Promise.withResolvers<string>();
    const first = lock.run("pvc-1", "creation", () => promise);
    await assert.rejects(
      lock.run("pvc-1", "deletion", async () => assert.fail("it ran beside the first")),
      (reason) => hasCode(reason, "aborted") && /deletion of pvc-1: creation/.test(reason.message),
    );
    resolve("made");
    assert.equal(await first, "made");
  });

  test("lets other keys go on", async () => {
    const lock = new KeyedLock();
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = lock.run("pvc-1", "creation", () => promise);
    assert.equal(await lock.run("pvc-2", "creation", async () => 2), 2);
    resolve();
    await held;
  });

  test("is free again after success, and after a failure", async () => {
    const lock = new KeyedLock();
    await lock.run("pvc-1", "creation", async () => undefined);
    await assert.rejects(lock.run("pvc-1", "creation", fail), /the work failed/);
    await assert.rejects(
      lock.run("pvc-1", "creation", () => {
        throw new Error("before its first await");
      }),
      /before its first await/,
    );
    assert.equal(await lock.run("pvc-1", "deletion", async () => "ran"), "ran");
    assert.equal(lock.size, 0);
  });

  test("that refused a call is still held by the first", async () => {
    const lock = new KeyedLock();
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = lock.run("pvc-1", "creation", () => promise);
    for (const _ of [1, 2]) {
      await assert.rejects(lock.run("pvc-1", "deletion", fail), (reason) => hasCode(reason, "aborted"));
    }
    assert.equal(lock.size, 1);
    resolve();
    await first;
  });
});
