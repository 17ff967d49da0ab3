/** Two processes that share a limit, killed again and again: never beyond it, and nothing promised is lost or leaks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../../src/core/log.ts";
import { Reaper } from "../../src/volumes/reaper.ts";
import type { Volume } from "../../src/volumes/volume.ts";
import { linesUntilKilled } from "../support/doomed-worker.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { type Sharer, sharer } from "../support/sharer.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const limit = 2000n;
/** Each gives each process its orders and the moments of its death; change it to see other ones. */
const seeds = [7, 40_400, 811];
const rounds = 5;
/** As the workers choose them. */
const workerNames = Array.from({ length: 8 }, (_, number) => `pvc-${number}`);

/** The volumes that are in their place: those that anyone may have been told of. */
async function ready({ volumes }: Sharer): Promise<readonly Volume[]> {
  const { volumes: all } = await volumes.list(newCall(), undefined, 1000);
  return all.filter(({ state }) => state === "ready");
}

async function sizes(sharer: Sharer): Promise<bigint> {
  return (await ready(sharer)).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0n);
}

for (const seed of seeds) {
  test(`two processes killed at random stay below the limit and leak nothing (seed ${seed})`, async () => {
    using fixture = new VolumeFixture();
    const random = seededRandom(seed);
    const told: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const lives = [0, 1].map((worker) => {
        const args = [fixture.path, `${seed * 100 + round * 2 + worker}`];
        return linesUntilKilled("promise-worker.ts", args, 5 + Math.floor(random() * 60));
      });
      told.push(...(await Promise.all(lives)).flat());
      const watcher = sharer(fixture.share);
      const [promised, given] = [await watcher.ledger.promisedBytes(), await sizes(watcher)];
      assert.ok(promised <= limit, `${promised} bytes are promised`);
      assert.ok(given <= promised, `${given} bytes were given, but only ${promised} promised`);
    }
    for (const kind of ["created", "grown", "deleted", "reaped", "refused resource-exhausted"])
      assert.ok(
        told.some((line) => line.startsWith(kind)),
        `no line says ${kind}: the workers hardly worked`,
      );

    // Now that it is quiet, whatever was cut off is finished, and what there is room for is admitted.
    const last = sharer(fixture.share);
    const there = (await ready(last)).map(({ id }) => id.name);
    for (const name of workerNames.filter((each) => !there.includes(idOf(each).name)))
      await last.volumes.delete(newCall(), idOf(name));
    const reaper = new Reaper(last.context, { intervalMs: 1, stagingGraceMs: 0 }, silentLog);
    await reaper.pass(new AbortController().signal);
    await reaper.pass(new AbortController().signal);
    const promised = await last.ledger.promisedBytes();
    assert.equal(promised, await sizes(last));
    if (promised < limit) {
      const fill = requestFor("fill", { capacity: { requiredBytes: limit - promised, limitBytes: 0n } });
      await last.volumes.create(newCall(), fill);
    }
    await assert.rejects(last.volumes.create(newCall(), requestFor("more")), { code: "resource-exhausted" });
  });
}
