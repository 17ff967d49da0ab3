import assert from "node:assert/strict";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { idOf, newCall, requestFor, VolumeFixture } from "../../../test/support/volume-fixture.ts";
import type { Clock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { parseNonce } from "../../core/nonce.ts";
import { parseSharePath } from "../../share/share-path.ts";
import type { ShareContext } from "../context.ts";
import { readUsage } from "./usage-files.ts";
import { usagePaceDefaults } from "./usage-plan.ts";
import { type UsageRound, UsageScanner } from "./usage-scanner.ts";

const { signal } = new AbortController();

/** Stands still but for sleeping. */
class SteppedClock implements Clock {
  ms = Date.parse("2026-01-01T00:00:00Z");
  readonly slept: number[] = [];
  nowMs(): number {
    return this.ms;
  }
  async sleep(ms: number): Promise<void> {
    this.slept.push(ms);
    this.ms += ms;
  }
}

const scan = (context: ShareContext): Promise<UsageRound> =>
  new UsageScanner(context, usagePaceDefaults, silentLog).round(signal);

async function usageOf(fixture: VolumeFixture, name: string) {
  const identity = await fixture.share.readFile(
    parseSharePath(`.berth/volumes/${name}/identity.json`),
    100_000,
  );
  const { nonce } = JSON.parse(Buffer.from(identity).toString());
  return await readUsage(fixture.share, idOf(name).name, parseNonce(nonce));
}

test("every volume is measured once, and again when it is due", async () => {
  const clock = new SteppedClock();
  using fixture = new VolumeFixture(clock);
  for (const name of ["a", "b"]) await fixture.volumes.create(newCall(), requestFor(name));
  writeFileSync(fixture.at("a", "file"), Buffer.alloc(100_000, "x"));
  const scanner = new UsageScanner(fixture.context, usagePaceDefaults, silentLog);
  assert.equal((await scanner.round(signal)).measured, 2);
  const [a, b] = [await usageOf(fixture, "a"), await usageOf(fixture, "b")];
  assert.ok(a !== undefined && a.usedBytes >= 100_000n && a.usedInodes === 2n);
  assert.equal(b?.usedInodes, 1n);
  assert.equal(a.measuredMs, clock.ms);

  const { measured, nextMs } = await scanner.round(signal);
  assert.deepEqual([measured, nextMs], [0, clock.ms + 60_000]);
  clock.ms += 60_000;
  assert.equal((await scanner.round(signal)).measured, 2);
});

test("a scanner that starts anew, or beside another, goes on where that one was", async () => {
  const clock = new SteppedClock();
  using fixture = new VolumeFixture(clock);
  await fixture.volumes.create(newCall(), requestFor("a"));
  assert.equal((await scan(fixture.context)).measured, 1);
  const again = await scan(fixture.context);
  assert.deepEqual([again.measured, again.nextMs], [0, clock.ms + 60_000]);
  clock.ms += 60_000;
  assert.equal((await scan(fixture.context)).measured, 1);
});

test("a volume created anew under its name is not told its predecessor's usage", async () => {
  using fixture = new VolumeFixture();
  await fixture.volumes.create(newCall(), requestFor("a"));
  await scan(fixture.context);
  await fixture.volumes.delete(newCall(), idOf("a"));
  await fixture.volumes.create(newCall(), requestFor("a"));
  assert.equal(await usageOf(fixture, "a"), undefined);
});

test("what is deleted, another's, not in its place or led away is not measured, and hinders nobody", async () => {
  using fixture = new VolumeFixture();
  for (const name of ["a", "gone", "link", "z"]) await fixture.volumes.create(newCall(), requestFor(name));
  for (const name of ["gone", "link"]) rmSync(fixture.at(name), { recursive: true });
  symlinkSync("/etc", fixture.at("link"));
  mkdirSync(fixture.at(".berth/volumes/broken"));
  writeFileSync(fixture.at(".berth/volumes/broken/identity.json"), "{");
  const other = { ...fixture.context, owner: { cluster: "other", driver: "d" } };
  assert.equal((await scan(other)).measured, 0);
  assert.equal((await scan(fixture.context)).measured, 2);
  assert.equal(await usageOf(fixture, "link"), undefined);
});

test("measuring takes no more than its part of the time", async () => {
  const clock = new SteppedClock();
  using fixture = new VolumeFixture(clock);
  await fixture.volumes.create(newCall(), requestFor("a"));
  const share = new Proxy(fixture.share, {
    get(target, key) {
      if (key === "usage") return slow;
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const slow = async () => {
    clock.ms += 8000;
    return { usedBytes: 1n, inodes: 1, approximate: false };
  };
  const pace = { ...usagePaceDefaults, timeShareMax: 0.2 };
  await new UsageScanner({ ...fixture.context, share }, pace, silentLog).round(signal);
  assert.deepEqual(clock.slept, [32_000]);
  const record = await usageOf(fixture, "a");
  assert.equal(record?.durationMs, 8000);
});
