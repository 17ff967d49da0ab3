/** The reaper at work on a deleted volume while a late deletion of it wakes, renames, and dies. Exhaustive. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { silentLog } from "../../src/core/log.ts";
import { Reaper } from "../../src/volumes/reaper.ts";
import { type Fate, hookedShare } from "../support/hooked-share.ts";
import { atEveryStep, stepsMax } from "../support/interleaving.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const killed = () => new Error("killed");
const never = new AbortController().signal;

/** One pass that asks before each of its changes. */
async function reapAsking(
  fixture: VolumeFixture,
  decide: (step: number) => Fate | Promise<Fate>,
): Promise<void> {
  const context = { ...fixture.context, share: hookedShare(fixture.share, decide, killed) };
  await new Reaper(context, { intervalMs: 1, stagingGraceMs: 0 }, silentLog).pass(never);
}

/**
 * A deletion freezes before its step `at`; another deletes the volume and creates its name anew; the reaper begins
 * with the first one, and before its step `reaperAt` the frozen step is taken: then its process dies.
 */
async function takenWhilePurging(
  fixture: VolumeFixture,
  at: number,
  reaperAt: number,
): Promise<{ reached: boolean; reaperReached: boolean }> {
  const turn = Promise.withResolvers<void>();
  const died = Promise.withResolvers<void>();
  let reaping: Promise<void> | undefined;
  let reaperReached = false;
  const reap = () =>
    reapAsking(fixture, async (step): Promise<Fate> => {
      if (step === reaperAt) {
        reaperReached = true;
        turn.resolve();
        await died.promise;
      }
      return "done";
    });
  const decide = async (step: number): Promise<Fate> => {
    if (step !== at) return step < at ? "done" : "not done";
    await fixture.volumes.delete(newCall(), idOf("pvc"));
    await fixture.volumes.create(newCall(), requestFor("pvc"));
    writeFileSync(fixture.at("pvc", "data"), "new");
    reaping = reap();
    await Promise.race([turn.promise, reaping]);
    return "done, answer lost";
  };
  const frozen = fixture.through(hookedShare(fixture.share, decide, killed));
  await frozen.delete(newCall(), idOf("pvc")).catch(() => undefined); // its process is dead
  died.resolve();
  await reaping;
  return { reached: reaping !== undefined, reaperReached };
}

test("a deletion that wakes at any step of the reaper, takes the name's new tree, and dies, does no harm", async () => {
  await atEveryStep(async (at) => {
    let isReached = false;
    for (let reaperAt = 0; reaperAt < stepsMax; reaperAt += 1) {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), requestFor("pvc"));
      const { reached, reaperReached } = await takenWhilePurging(fixture, at, reaperAt);
      isReached ||= reached;
      if (!reached) break;
      for (let pass = 0; pass < 3; pass += 1) await fixture.reap();
      const where = `deletion's step ${at}, reaper's step ${reaperAt}`;
      assert.equal((await fixture.volumes.get(newCall(), idOf("pvc"))).state, "ready", where);
      assert.equal(readFileSync(fixture.at("pvc", "data"), "utf8"), "new", where);
      assert.deepEqual(fixture.left(), ["pvc", ".berth/volumes/pvc", ".berth/paths/pvc"], where);
      if (!reaperReached) break;
    }
    return isReached;
  });
});

for (const fate of ["not done", "done, answer lost"] as const) {
  test(`a reaper killed at any of its steps (${fate}) is followed by one that ends its work`, async () => {
    await atEveryStep(async (at) => {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), requestFor("pvc"));
      writeFileSync(fixture.at("pvc", "data"), "data");
      await fixture.volumes.delete(newCall(), idOf("pvc"));
      let reached = false;
      await reapAsking(fixture, (step) => {
        reached ||= step >= at;
        return step < at ? "done" : step === at ? fate : "not done";
      }).catch(() => undefined); // its process is dead
      assert.ok((await fixture.volumes.trash(newCall())).length <= 1); // what is being removed is readable
      await fixture.reap();
      assert.deepEqual(fixture.left(), [], `step ${at}`);
      return reached;
    });
  });
}

test("an entry that is being removed and has a tree that its record does not name loses nothing", async () => {
  using fixture = new VolumeFixture();
  await fixture.volumes.create(newCall(), requestFor("pvc"));
  await fixture.volumes.delete(newCall(), idOf("pvc"));
  const [entry = ""] = fixture.left().filter((name) => name.startsWith(".berth/trash/"));
  renameSync(fixture.at(entry), fixture.at(`${entry}.purging`));
  renameSync(fixture.at(`${entry}.purging/tree`), fixture.at("elsewhere"));
  mkdirSync(fixture.at(`${entry}.purging/tree`));
  writeFileSync(fixture.at(`${entry}.purging/tree/data`), "somebody's");
  const { purged, waiting } = await fixture.reap();
  assert.deepEqual({ purged, waiting }, { purged: 0, waiting: 1 });
  assert.equal(readFileSync(fixture.at(`${entry}.purging/tree/data`), "utf8"), "somebody's");
});
