import assert from "node:assert/strict";
import { test } from "node:test";
import { SystemNames } from "./system-names.ts";

test("a name is looked up once at a time, and anew when that has ended, well or not", async () => {
  const asked: { name: string; settle: PromiseWithResolvers<[]> }[] = [];
  const names = new SystemNames((name) => {
    const settle = Promise.withResolvers<[]>();
    asked.push({ name, settle });
    return settle.promise;
  });
  const first = [names.resolve("dead"), names.resolve("dead"), names.resolve("living")];
  assert.deepEqual(
    asked.map(({ name }) => name),
    ["dead", "living"],
  );
  asked[0]?.settle.reject(new Error("timed out"));
  asked[1]?.settle.resolve([]);
  assert.deepEqual(
    (await Promise.allSettled(first)).map(({ status }) => status),
    ["rejected", "rejected", "fulfilled"],
  );
  void names.resolve("dead");
  assert.equal(asked.length, 3);
});
