import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as tick } from "node:timers/promises";
import { hasCode } from "./errors.ts";
import { Turns } from "./turns.ts";

/** Work that ends when it is told to. */
function work() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const begun = { value: false };
  const run = async () => {
    begun.value = true;
    await promise;
  };
  return { run, begun, end: resolve };
}

const until = (signal: AbortSignal, untilMs = Number.POSITIVE_INFINITY) => ({
  ...{ signal, untilMs },
  late: () => new Error("too late"),
});
const forever = until(new AbortController().signal);

test("so much runs at once, and the rest in the order in which it came", async () => {
  const turns = new Turns(2);
  const all = [work(), work(), work(), work()];
  const done = Promise.all(all.map(({ run }) => turns.run(forever, run)));
  const begun = () => all.map((each) => each.begun.value);
  await tick();
  assert.deepEqual(begun(), [true, true, false, false]);
  all[1]?.end();
  await tick();
  assert.deepEqual(begun(), [true, true, true, false]);
  for (const { end } of all) end();
  await done;
});

test("a failure hands its turn on", async () => {
  const turns = new Turns(1);
  const failing = turns.run(forever, () => Promise.reject(new Error("no")));
  const next = turns.run(forever, async () => "next");
  await assert.rejects(failing, /no/);
  assert.equal(await next, "next");
  assert.equal(await turns.run(forever, async () => "later"), "later");
});

test("who is cancelled while waiting leaves the line, and nothing of it is begun", async () => {
  const turns = new Turns(1);
  const [first, second, third] = [work(), work(), work()];
  const abort = new AbortController();
  const running = turns.run(forever, first.run);
  const cancelled = turns.run(until(abort.signal), second.run);
  const patient = turns.run(forever, third.run);
  abort.abort();
  await assert.rejects(cancelled, (error) => hasCode(error, "cancelled"));
  await assert.rejects(turns.run(until(abort.signal), second.run), (error) => hasCode(error, "cancelled"));
  first.end();
  third.end();
  await Promise.all([running, patient]);
  assert.ok(!second.begun.value && third.begun.value);
});

test("who has waited for as long as it can leaves the line, and nothing of it is begun", async () => {
  const turns = new Turns(1);
  const [first, second] = [work(), work()];
  const running = turns.run(forever, first.run);
  const late = turns.run(until(new AbortController().signal, performance.now() + 10), second.run);
  const keepsNodeAlive = setInterval(() => {}, 1000);
  await assert.rejects(late, /too late/);
  clearInterval(keepsNodeAlive);
  first.end();
  await running;
  assert.ok(!second.begun.value);
  assert.equal(await turns.run(forever, async () => "next"), "next");
});
