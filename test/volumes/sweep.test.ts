/** What the reaper takes from staging: never what somebody may still be building. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silentLog } from "../../src/core/log.ts";
import { Reaper } from "../../src/volumes/reaper.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const hourMs = 3_600_000;

test("sweeps from staging what is old and claimed by nobody, and keeps what is young or claimed", async () => {
  using fixture = new VolumeFixture();
  await fixture.volumes.create(newCall(), requestFor("a"));
  const claim: { nonce: string } = JSON.parse(
    readFileSync(fixture.at(".berth/volumes/a/identity.json"), "utf8"),
  );
  const old = ["b".repeat(26), "c".repeat(26)];
  for (const name of [`x.${old[0]}`, `a.${claim.nonce}`]) {
    mkdirSync(fixture.at(".berth/staging", name));
  }
  writeFileSync(fixture.at(".berth/staging", `${old[1]}.json`), "{}");
  mkdirSync(fixture.at(".berth/staging", `y.${"d".repeat(26)}`));
  const longAgo = new Date(Date.now() - 2 * hourMs);
  for (const name of readdirSync(fixture.at(".berth/staging"))) {
    if (!name.startsWith("y.")) utimesSync(fixture.at(".berth/staging", name), longAgo, longAgo);
  }
  assert.equal((await fixture.reap(hourMs)).swept, 2);
  const left = readdirSync(fixture.at(".berth/staging")).sort();
  assert.deepEqual(left, [`a.${claim.nonce}`, `y.${"d".repeat(26)}`]);
});

test("keeps what is being built on a server whose clock is hours behind, until it has been there for an hour", async () => {
  const clock = new FakeClock();
  using fixture = new VolumeFixture(clock);
  await fixture.volumes.create(newCall(), requestFor("a"));
  const [staging, young] = [fixture.at(".berth/staging"), `x.${"b".repeat(26)}`];
  mkdirSync(join(staging, young));
  const serversNow = new Date(clock.nowMs() - 5 * hourMs);
  for (const path of [join(staging, young), staging]) utimesSync(path, serversNow, serversNow);
  const reaper = new Reaper(fixture.context, { intervalMs: 1, stagingGraceMs: hourMs }, silentLog);
  const pass = async () => (await reaper.pass(new AbortController().signal)).swept;
  assert.equal(await pass(), 0);
  clock.pass(hourMs - 1);
  assert.equal(await pass(), 0);
  clock.pass(1);
  assert.equal(await pass(), 1);
  assert.deepEqual(readdirSync(staging), []);
});
