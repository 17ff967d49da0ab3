/** Two processes on one share, killed again and again: what was acknowledged stays, and nothing else is left. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { linesUntilKilled } from "../support/doomed-worker.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { idOf, newCall, VolumeFixture } from "../support/volume-fixture.ts";

/** Each gives each process its orders and the moments of its death; change it to see other ones. */
const seeds = [1, 20_260, 977];
const livesPerWorker = 6;
const acknowledgementsMax = 60;

/** What a worker acknowledged in all its lives. */
async function lives(path: string, worker: string, seed: number): Promise<string[]> {
  const random = seededRandom(seed);
  const acknowledged: string[] = [];
  for (let count = 0; count < livesPerWorker; count += 1) {
    const deathAfter = 1 + Math.floor(random() * acknowledgementsMax);
    const args = [path, worker, `${seed * 100 + count}`];
    acknowledged.push(...(await linesUntilKilled("volume-worker.ts", args, deathAfter)));
  }
  return acknowledged;
}

for (const seed of seeds) {
  test(`two processes killed at random lose nothing and leave nothing over (seed ${seed})`, async () => {
    using fixture = new VolumeFixture();
    const told = (
      await Promise.all(["a", "b"].map((worker, index) => lives(fixture.path, worker, seed + index)))
    ).flat();
    await fixture.reap();

    const words = told.map((line) => line.split(" "));
    const markers = words.filter(([kind]) => kind === "marker");
    assert.ok(markers.length > 20, `only ${markers.length} markers: the workers hardly worked`);
    for (const [, name = "", marker = ""] of markers)
      assert.ok(existsSync(fixture.at(name, marker)), `${name}/${marker}`);
    for (const [kind, name = "", size = "0"] of words) {
      if (kind !== "size") continue;
      const { sizeBytes } = await fixture.volumes.get(newCall(), idOf(name));
      assert.ok(sizeBytes >= BigInt(size), `${name} has ${sizeBytes} bytes after ${size} were acknowledged`);
    }

    const kept = [...new Set(markers.map(([, name = ""]) => name))].sort();
    for (const name of ["churn-0", "churn-1", "churn-2"]) await fixture.volumes.delete(newCall(), idOf(name));
    for (const name of kept) assert.equal((await fixture.volumes.get(newCall(), idOf(name))).state, "ready");
    await fixture.reap();
    await fixture.reap();
    const expected = [".berth/volumes/", ".berth/paths/", ""].flatMap((at) => kept.map((name) => at + name));
    assert.deepEqual(fixture.left().sort(), expected.sort());
  });
}
