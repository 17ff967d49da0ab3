/** How the reaper paces itself, and what it says: trees side by side, a share that does not answer, what is left. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { Clock } from "../../src/core/clock.ts";
import { BerthError } from "../../src/core/errors.ts";
import type { Log } from "../../src/core/log.ts";
import { silentLog } from "../../src/core/log.ts";
import type { Share } from "../../src/share/share.ts";
import { Reaper } from "../../src/volumes/reaper.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const options = { intervalMs: 1000, stagingGraceMs: 3_600_000 };
const forever = new AbortController().signal;

/** A clock that stands until somebody sleeps; its sleeps are kept. */
class SteppingClock implements Clock {
  readonly sleepsMs: number[] = [];
  #nowMs = Date.parse("2026-01-01T00:00:00Z");
  nowMs(): number {
    return this.#nowMs;
  }
  async sleep(ms: number): Promise<void> {
    this.sleepsMs.push(ms);
    this.#nowMs += ms;
  }
}

function recorded(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const note = (message: string) => void lines.push(message);
  return { log: { ...silentLog, info: note, warn: note, error: note }, lines };
}

/** The same share, with some of its operations replaced. */
function replacing(share: Share, replaced: Partial<Share>): Share {
  return new Proxy(share, {
    get(target, key) {
      const own: unknown = Reflect.get(replaced, key);
      const member: unknown = own ?? Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(own === undefined ? target : replaced) : member;
    },
  });
}

async function deleted(fixture: VolumeFixture, name: string, trashRetentionMs = 0): Promise<void> {
  await fixture.volumes.create(newCall(), requestFor(name, { trashRetentionMs }));
  writeFileSync(fixture.at(name, "data"), "data");
  await fixture.volumes.delete(newCall(), idOf(name));
}

test("several trees are removed side by side, and share the pace", { timeout: 60_000 }, async () => {
  using fixture = new VolumeFixture();
  for (const name of ["a", "b", "c", "d", "e", "f"]) await deleted(fixture, name);
  let [running, most] = [0, 0];
  const four = Promise.withResolvers<void>(); // run at once: so long none ends
  const paces = new Set<number | undefined>();
  const share = replacing(fixture.share, {
    async removeTree(path, treeOptions = {}) {
      if (path.endsWith("/tree")) {
        paces.add(treeOptions.entriesPerSecondMax);
        running += 1;
        most = Math.max(most, running);
        if (running === 4) four.resolve();
        await four.promise;
      }
      try {
        return await fixture.share.removeTree(path, treeOptions);
      } finally {
        if (path.endsWith("/tree")) running -= 1;
      }
    },
  });
  const reaper = new Reaper(
    { ...fixture.context, share },
    { ...options, entriesPerSecondMax: 1000 },
    silentLog,
  );
  const { purged, waiting } = await reaper.pass(forever);
  assert.deepEqual([purged, waiting, most, [...paces]], [6, 0, 4, [250]]);
  assert.deepEqual(fixture.left(), []);
});

test("one tree that cannot be removed does not keep the others, and is warned of once an hour", async () => {
  using fixture = new VolumeFixture();
  for (const name of ["a", "b"]) await deleted(fixture, name);
  const clock = new SteppingClock();
  const { log, lines } = recorded();
  let refused: string | undefined;
  const share = replacing(fixture.share, {
    async removeTree(path, treeOptions) {
      if (path.endsWith("/tree")) refused ??= path;
      if (path === refused) throw new BerthError("storage-access", "the server refuses it");
      return await fixture.share.removeTree(path, treeOptions);
    },
  });
  const nowMs = Date.now();
  const late = { ...clock, nowMs: () => nowMs + clock.nowMs(), sleep: (ms: number) => clock.sleep(ms) };
  const reaper = new Reaper({ ...fixture.context, share, clock: late }, options, log);
  const warnings = () => lines.filter((line) => line.includes("the server refuses it")).length;
  assert.equal((await reaper.pass(forever)).purged, 1);
  for (let pass = 0; pass < 10; pass += 1) assert.equal((await reaper.pass(forever)).waiting, 1);
  assert.equal(warnings(), 1);
  await clock.sleep(3_600_000);
  await reaper.pass(forever);
  assert.equal(warnings(), 2);
});

test("a share that does not answer is asked less and less often, is told of once, and when it is back", async () => {
  using fixture = new VolumeFixture();
  await deleted(fixture, "a");
  const { log, lines } = recorded();
  const clock = new SteppingClock();
  const stop = new AbortController();
  let asked = 0;
  const share = replacing(fixture.share, {
    list(path) {
      asked += 1;
      if (asked <= 8) throw new BerthError("storage-unavailable", "the server does not answer");
      stop.abort();
      return fixture.share.list(path);
    },
  });
  await new Reaper({ ...fixture.context, share, clock }, options, log).run(stop.signal);
  assert.deepEqual(clock.sleepsMs.slice(0, 7), [2000, 4000, 8000, 16_000, 16_000, 16_000, 16_000]);
  assert.equal(lines.filter((line) => line.includes("does not answer")).length, 1);
});

test("what waits is told with its age, once as long as nothing changes", async () => {
  using fixture = new VolumeFixture();
  await deleted(fixture, "a", 3_600_000);
  const { log, lines } = recorded();
  const reaper = new Reaper(fixture.context, options, log);
  for (let pass = 0; pass < 3; pass += 1) await reaper.pass(forever);
  assert.equal(lines.length, 1);
  assert.match(
    lines[0] ?? "",
    /^1 deleted volumes wait in the trash of share test .*; the first is due at 2/,
  );
});

test("a long removal says every minute how far it is", async () => {
  using fixture = new VolumeFixture();
  await deleted(fixture, "a");
  const clock = new SteppingClock();
  const { log, lines } = recorded();
  const share = replacing(fixture.share, {
    async removeTree(path, treeOptions) {
      for (let seconds = 0; path.endsWith("/tree") && seconds < 150; seconds += 10) {
        await clock.sleep(10_000);
        treeOptions?.onProgress?.({ entries: seconds * 100 });
      }
      return await fixture.share.removeTree(path, treeOptions);
    },
  });
  const late = { nowMs: () => Date.now() + clock.nowMs(), sleep: (ms: number) => clock.sleep(ms) };
  await new Reaper({ ...fixture.context, share, clock: late }, options, log).pass(forever);
  const told = lines.filter((line) => line.startsWith("removing deleted volume directory/bind/a/test"));
  assert.equal(told.length, 2);
});

test("others' entries, volumes and files are left alone", async () => {
  using fixture = new VolumeFixture();
  await deleted(fixture, "a");
  const other = { ...fixture.context, owner: { cluster: "another", driver: "csi.berth.dev" } };
  mkdirSync(fixture.at(".berth/trash/somebody"));
  writeFileSync(fixture.at(".berth/staging/notes.txt"), "");
  const before = fixture.left();
  const report = await new Reaper(other, { ...options, stagingGraceMs: -1 }, silentLog).pass(forever);
  assert.equal(report.purged, 0);
  assert.deepEqual(fixture.left(), before);
});
