/** A volume whose record somebody has removed: the reaper tells of it, with what to do, and that does it. */
import assert from "node:assert/strict";
import { linkSync, mkdirSync, renameSync, rmSync, truncateSync } from "node:fs";
import { test } from "node:test";
import { silentLog } from "../../src/core/log.ts";
import { parseDirectoryPath } from "../../src/volumes/directory-path.ts";
import { Reaper } from "../../src/volumes/reaper.ts";
import { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { idOf, newCall, owner, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const hourMs = 3_600_000;
const claim = { name: "db", namespace: "prod" };

/** What the reaper warns of in its next passes, `afterMs` from now. */
function watched(fixture: VolumeFixture, clock: FakeClock) {
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
  const reaper = new Reaper(fixture.context, { intervalMs: 1, stagingGraceMs: hourMs }, log);
  return async (afterMs: number): Promise<string[]> => {
    clock.pass(afterMs);
    warnings.length = 0;
    await reaper.pass(new AbortController().signal);
    return [...warnings];
  };
}

test("a directory whose record is gone is told of once an hour, with volume, claim and remedy, until it is back", async () => {
  const clock = new FakeClock();
  using fixture = new VolumeFixture(clock);
  for (const [name, path] of [
    ["pvc-1", "team/a/app"],
    ["pvc-2", "team/b"],
    ["pvc-3", "pvc-3"],
  ] as const)
    await fixture.volumes.create(newCall(), requestFor(name, { path: parseDirectoryPath(path), claim }));
  const pass = watched(fixture, clock);
  assert.deepEqual(await pass(hourMs), []);

  rmSync(fixture.at(".berth/volumes/pvc-1"), { recursive: true });
  await fixture.volumes.delete(newCall(), idOf("pvc-1")); // finds nothing, and says so
  assert.deepEqual(await pass(hourMs / 2), []);
  const [warning = "", ...others] = await pass(hourMs / 2);
  assert.deepEqual(others, []);
  assert.match(
    warning,
    /the directory team\/a\/app of volume directory\/bind\/pvc-1\/test \(claim prod\/db\) is there, and its record \.berth\/volumes\/pvc-1 is gone/,
  );
  assert.match(
    warning,
    /make \.berth\/volumes\/pvc-1 again, with \.berth\/paths\/team\/a\/app linked into it as identity\.json/,
  );

  mkdirSync(fixture.at(".berth/volumes/pvc-1"));
  linkSync(fixture.at(".berth/paths/team/a/app"), fixture.at(".berth/volumes/pvc-1/identity.json"));
  assert.deepEqual(await pass(hourMs), []);
  for (const name of ["pvc-1", "pvc-2", "pvc-3"]) await fixture.volumes.delete(newCall(), idOf(name));
  await pass(hourMs);
  assert.deepEqual(fixture.left(), []);
});

test("a claim without its directory, one of another cluster and one that cannot be read are no lost records", async () => {
  const clock = new FakeClock();
  using fixture = new VolumeFixture(clock);
  const others = new ShareVolumes({ ...fixture.context, owner: { ...owner, cluster: "other" } });
  for (const name of ["moved", "cut"]) await fixture.volumes.create(newCall(), requestFor(name));
  await others.create(newCall(), requestFor("theirs"));
  for (const name of ["moved", "cut", "theirs"])
    rmSync(fixture.at(".berth/volumes", name), { recursive: true });
  renameSync(fixture.at("moved"), fixture.at("elsewhere"));
  truncateSync(fixture.at(".berth/paths/cut"), 100);
  assert.deepEqual(await watched(fixture, clock)(hourMs), []);
});
