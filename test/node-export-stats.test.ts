/** What a node says of a volume on an export, and where it has that from. */
import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { Clock } from "../src/core/clock.ts";
import { silentLog } from "../src/core/log.ts";
import { ExportStats, exportStatsLimits } from "../src/node/stats/export-stats.ts";
import type { Share, Space } from "../src/share/share.ts";
import { parseSharePath, shareRoot } from "../src/share/share-path.ts";
import { usagePaceDefaults } from "../src/volumes/usage/usage-plan.ts";
import { UsageScanner } from "../src/volumes/usage/usage-scanner.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "./support/volume-fixture.ts";

const mib = 2n ** 20n;
const whole: Space = {
  totalBytes: 900n * mib,
  availableBytes: 300n * mib,
  totalInodes: 1000n,
  availableInodes: 600n,
};
const { signal } = new AbortController();

class StandingClock implements Clock {
  ms = Date.parse("2026-01-01T00:00:00Z");
  nowMs(): number {
    return this.ms;
  }
  async sleep(): Promise<void> {}
}

/** A share with these figures, and a volume `a` of 100 MiB. */
async function setUp(fixture: VolumeFixture, ofVolume: Space = whole) {
  const capacity = { requiredBytes: 100n * mib, limitBytes: 0n };
  await fixture.volumes.create(newCall(), requestFor("a", { capacity }));
  const share = answering(fixture.share, (path) => (path === shareRoot ? whole : ofVolume));
  return { volumeId: "a", share, directory: parseSharePath("a"), recordName: idOf("a").name };
}

function answering(base: Share, space: (path: string) => Space | Promise<Space>): Share {
  return new Proxy(base, {
    get(target, key) {
      if (key === "space") return async (path: string) => await space(path);
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

const measure = (fixture: VolumeFixture): Promise<unknown> =>
  new UsageScanner(fixture.context, usagePaceDefaults, silentLog).round(signal);

test("a quota of the server's goes before everything else", async () => {
  using fixture = new VolumeFixture();
  const quota = { totalBytes: 40n * mib, availableBytes: 30n * mib, totalInodes: 50n, availableInodes: 45n };
  const { usage, condition } = await new ExportStats().measure(await setUp(fixture, quota), newCall());
  assert.deepEqual(usage, {
    totalBytes: 40n * mib,
    usedBytes: 10n * mib,
    availableBytes: 30n * mib,
    usedInodes: 5n,
    availableInodes: 45n,
  });
  assert.equal(condition.abnormal, false);
  assert.match(condition.message, /server's quota.*is not the volume's size of 104857600/);
});

test("a quota of bytes alone says nothing of inodes: those are as measured, or said to be the whole share's", async () => {
  const clock = new StandingClock();
  using fixture = new VolumeFixture(clock);
  const quota = { ...whole, totalBytes: 40n * mib, availableBytes: 30n * mib };
  const request = await setUp(fixture, quota);
  const ask = async () => await new ExportStats(clock).measure(request, newCall());
  const before = await ask();
  assert.equal(before.usage?.usedInodes, 0n);
  assert.match(before.condition.message, /quota.*inodes never measured yet/);
  writeFileSync(fixture.at("a", "file"), "");
  await measure(fixture);
  clock.ms += 90_000;
  const { usage, condition } = await ask();
  assert.deepEqual([usage?.usedBytes, usage?.usedInodes, usage?.availableInodes], [10n * mib, 2n, 600n]);
  assert.match(condition.message, /quota.*inodes measured 90 s ago/);
  const byHand = await new ExportStats(clock).measure({ ...request, recordName: undefined }, newCall());
  assert.equal(byHand.usage?.usedInodes, 400n);
  assert.match(byHand.condition.message, /inodes are those of the whole share/);
});

test("without a quota it is what was measured last, within the volume's size, with its age", async () => {
  const clock = new StandingClock();
  using fixture = new VolumeFixture(clock);
  const request = await setUp(fixture);
  writeFileSync(fixture.at("a", "file"), Buffer.alloc(Number(20n * mib), "x"));
  await measure(fixture);
  clock.ms += 90_000;
  const { usage, condition } = await new ExportStats(clock).measure(request, newCall());
  assert.ok(usage !== undefined && usage.usedBytes >= 20n * mib && usage.usedBytes < 21n * mib);
  assert.equal(usage.totalBytes, 100n * mib);
  assert.equal(usage.availableBytes, 100n * mib - usage.usedBytes);
  assert.deepEqual([usage.usedInodes, usage.availableInodes], [2n, 600n]);
  assert.equal(condition.abnormal, false);
  assert.match(condition.message, /measured 90 s ago.*nothing on the server enforces/);
});

test("an inline volume, for which nobody asked a size, has its own usage and what the share leaves", async () => {
  const clock = new StandingClock();
  using fixture = new VolumeFixture(clock);
  const request = { ...(await setUp(fixture)), isInline: true };
  const never = await new ExportStats(clock).measure(request, newCall());
  assert.deepEqual([never.usage?.usedBytes, never.usage?.availableBytes], [0n, 300n * mib]);
  assert.match(
    never.condition.message,
    /^usage never measured yet.*no size: available is what the share leaves$/,
  );
  writeFileSync(fixture.at("a", "file"), Buffer.alloc(Number(110n * mib), "x"));
  await measure(fixture);
  clock.ms += 90_000;
  const { usage, condition } = await new ExportStats(clock).measure(request, newCall());
  assert.ok(usage !== undefined && usage.usedBytes >= 110n * mib && usage.usedBytes < 111n * mib);
  assert.deepEqual([usage.availableBytes, usage.totalBytes], [300n * mib, usage.usedBytes + 300n * mib]);
  assert.equal(condition.abnormal, false);
  assert.match(condition.message, /^measured 90 s ago; an inline volume has no size/);
});

test("available is never more than the share has", async () => {
  using fixture = new VolumeFixture();
  const request = await setUp(fixture);
  const share = answering(fixture.share, () => ({ ...whole, availableBytes: 7n }));
  const { usage } = await new ExportStats().measure({ ...request, share }, newCall());
  assert.deepEqual([usage?.totalBytes, usage?.availableBytes], [100n * mib, 7n]);
});

test("a volume that was never measured is empty, and it is said", async () => {
  using fixture = new VolumeFixture();
  const { usage, condition } = await new ExportStats().measure(await setUp(fixture), newCall());
  assert.deepEqual([usage?.usedBytes, usage?.usedInodes, usage?.availableBytes], [0n, 0n, 100n * mib]);
  assert.match(condition.message, /never measured yet/);
});

test("a volume grown since counts with its new size", async () => {
  using fixture = new VolumeFixture();
  const request = await setUp(fixture);
  await fixture.volumes.expand(newCall(), idOf("a"), { requiredBytes: 150n * mib, limitBytes: 0n });
  const { usage } = await new ExportStats().measure(request, newCall());
  assert.equal(usage?.totalBytes, 150n * mib);
});

test("a volume larger than its size is abnormal, and has nothing left", async () => {
  using fixture = new VolumeFixture();
  const request = await setUp(fixture);
  writeFileSync(fixture.at("a", "file"), Buffer.alloc(Number(110n * mib), "x"));
  await measure(fixture);
  const { usage, condition } = await new ExportStats().measure(request, newCall());
  assert.equal(usage?.availableBytes, 0n);
  assert.equal(condition.abnormal, true);
  assert.match(condition.message, /larger than its size/);
});

test("of a static volume without a record it says that the figures are the whole share's", async () => {
  using fixture = new VolumeFixture();
  const request = { ...(await setUp(fixture)), recordName: undefined };
  const { usage, condition } = await new ExportStats().measure(request, newCall());
  assert.equal(usage?.totalBytes, whole.totalBytes);
  assert.match(condition.message, /whole share/);
});

test("a directory that is gone, or another in its place, is abnormal and has no figures", async () => {
  using fixture = new VolumeFixture();
  const request = await setUp(fixture);
  const share = answering(fixture.share, async (path) => {
    await fixture.share.stat(parseSharePath(path === "" ? ".berth" : path));
    return whole;
  });
  renameSync(fixture.at("a"), fixture.at("moved"));
  const gone = await new ExportStats().measure({ ...request, share }, newCall());
  assert.deepEqual([gone.usage, gone.condition.abnormal], [undefined, true]);
  assert.match(gone.condition.message, /directory a is gone/);
  mkdirSync(fixture.at("a"));
  const replaced = await new ExportStats().measure({ ...request, share }, newCall());
  assert.equal(replaced.usage, undefined);
  assert.match(replaced.condition.message, /was replaced/);
  rmSync(fixture.at("moved"), { recursive: true });
});

test("when the server does not answer, the last figures are given, and their age", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] }); // an answer has all the time that it takes
  const clock = new StandingClock();
  using fixture = new VolumeFixture();
  const request = await setUp(fixture);
  const stats = new ExportStats(clock);
  const never = answering(fixture.share, () => new Promise<Space>(() => {}));
  const unanswered = async () => {
    const measured = stats.measure({ ...request, share: never }, newCall());
    t.mock.timers.tick(exportStatsLimits.answerMsMax);
    return await measured;
  };
  const unknown = await unanswered();
  assert.deepEqual([unknown.usage, unknown.condition.abnormal], [undefined, true]);
  assert.match(unknown.condition.message, /has not answered/);

  const { usage } = await stats.measure(request, newCall());
  clock.ms += 60_000;
  const late = await unanswered();
  assert.deepEqual(late.usage, usage);
  assert.equal(late.condition.abnormal, true);
  assert.match(late.condition.message, /has not answered.*as of 60 s ago/);

  stats.forget("a");
  assert.equal((await unanswered()).usage, undefined);
});

test("all who ask at once share one answer", async () => {
  using fixture = new VolumeFixture();
  const request = await setUp(fixture);
  let asked = 0;
  const share = answering(fixture.share, () => {
    asked += 1;
    return whole;
  });
  const stats = new ExportStats();
  await Promise.all(Array.from({ length: 10 }, () => stats.measure({ ...request, share }, newCall())));
  assert.equal(asked, 2);
});
