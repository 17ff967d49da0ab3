import assert from "node:assert/strict";
import { test } from "node:test";
import { monotonicMs } from "../../rpc/deadline-timer.ts";
import { SessionLost } from "./session-lost.ts";
import { type Slot, SlotTable } from "./slots.ts";

function take(table: SlotTable): Slot {
  const slot = table.take();
  assert.ok(slot !== undefined);
  return slot;
}

test("the lowest free slot is taken first, also after others came back", () => {
  const table = new SlotTable(3);
  const slots = [take(table), take(table), take(table)];
  assert.deepEqual(
    slots.map(({ id }) => id),
    [0, 1, 2],
  );
  assert.equal(table.take(), undefined);
  for (const slot of [slots[2], slots[0], slots[1]]) {
    assert.ok(slot !== undefined);
    table.release(slot);
  }
  assert.equal(take(table).id, 0);
  assert.equal(table.highestBusy, 0);
});

test("who waits gets a slot in turn", async () => {
  const table = new SlotTable(1);
  const slot = take(table);
  const order: string[] = [];
  const wait = async (name: string) => {
    const got = await table.wait(monotonicMs() + 5000, undefined);
    order.push(name);
    table.release(got);
  };
  const waiting = [wait("first"), wait("second")];
  table.release(slot);
  await Promise.all(waiting);
  assert.deepEqual(order, ["first", "second"]);
  assert.equal(take(table).id, 0);
});

test("waiting ends at the deadline, by the signal, and with the session", async () => {
  const table = new SlotTable(1);
  take(table);
  await assert.rejects(table.wait(monotonicMs() + 10, undefined), { failure: { kind: "timeout" } });
  await assert.rejects(table.wait(monotonicMs() + 5000, AbortSignal.abort()), {
    failure: { kind: "cancelled" },
  });
  const waiting = table.wait(monotonicMs() + 5000, undefined);
  table.break(new SessionLost("test", false));
  await assert.rejects(waiting, SessionLost);
  await assert.rejects(table.wait(monotonicMs() + 5000, undefined), SessionLost);
});

test("slots above the server's target are not used until it rises again", async () => {
  const table = new SlotTable(4);
  table.setTarget(0);
  take(table);
  assert.equal(table.take(), undefined);
  const waiting = table.wait(monotonicMs() + 5000, undefined);
  table.setTarget(3);
  assert.equal((await waiting).id, 1);
});
