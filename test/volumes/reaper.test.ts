/** What the reaper removes, when, how fast, and what it leaves alone; and what the trash tells and gives back. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Clock } from "../../src/core/clock.ts";
import { BerthError } from "../../src/core/errors.ts";
import { randomNonce } from "../../src/core/nonce.ts";
import { Reaper, type ReaperOptions } from "../../src/volumes/reaper.ts";
import { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import { RecordedLog } from "../support/edge-harness.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { hookedShare } from "../support/hooked-share.ts";
import { idOf, newCall, owner, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const hourMs = 3_600_000;
const never = new AbortController().signal;

function reaperOf(fixture: VolumeFixture, log: RecordedLog, options: Partial<ReaperOptions> = {}): Reaper {
  return new Reaper(fixture.context, { intervalMs: 60_000, stagingGraceMs: hourMs, ...options }, log);
}

/** A volume with files that has been deleted. */
async function deleted(fixture: VolumeFixture, name: string, trashRetentionMs = 0, files = 3): Promise<void> {
  await fixture.volumes.create(newCall(), requestFor(name, { trashRetentionMs }));
  for (let file = 0; file < files; file += 1) writeFileSync(fixture.at(name, `file-${file}`), name);
  await fixture.volumes.delete(newCall(), idOf(name));
}

function trashEntries(fixture: VolumeFixture): string[] {
  return readdirSync(fixture.at(".berth/trash"));
}

/** Changes the identity of the only volume in the trash. */
function forge(
  fixture: VolumeFixture,
  change: (identity: Record<string, unknown>) => Record<string, unknown>,
): void {
  const [entry = ""] = trashEntries(fixture);
  const file = fixture.at(".berth/trash", entry, "record/identity.json");
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, "utf8")))));
}

describe("the reaper", () => {
  test("keeps a deleted volume for its retention, to the millisecond, and says how long the oldest has been due", async () => {
    const clock = new FakeClock();
    using fixture = new VolumeFixture(clock);
    await deleted(fixture, "a", hourMs);
    const dueMs = clock.nowMs() + hourMs;
    await deleted(fixture, "b", 2 * hourMs);
    const reaper = reaperOf(fixture, new RecordedLog());
    clock.pass(hourMs - 1);
    assert.deepEqual(await reaper.pass(never), {
      purged: 0,
      entries: 0,
      waiting: 2,
      oldestDueMs: dueMs,
      swept: 0,
    });
    clock.pass(1);
    const { purged, entries, waiting } = await reaper.pass(never);
    assert.deepEqual({ purged, entries, waiting }, { purged: 1, entries: 4, waiting: 1 });
    assert.equal(trashEntries(fixture).length, 1);
    clock.pass(hourMs);
    assert.equal((await reaper.pass(never)).purged, 1);
    assert.deepEqual(fixture.left(), []);
  });

  test("removes no faster than its rate", async () => {
    const clock = new FakeClock();
    using fixture = new VolumeFixture(clock);
    await deleted(fixture, "a", 0, 200);
    const startedMs = clock.nowMs();
    const { entries } = await reaperOf(fixture, new RecordedLog(), { entriesPerSecondMax: 100 }).pass(never);
    assert.equal(entries, 201);
    assert.ok(
      clock.nowMs() - startedMs >= 1900,
      `201 entries at 100 a second in ${clock.nowMs() - startedMs} ms`,
    );
  });

  test("that is stopped in a tree leaves its record, and the next one goes on and ends it", async () => {
    const clock = new FakeClock();
    using fixture = new VolumeFixture(clock);
    await deleted(fixture, "a", 0, 200);
    const stop = new AbortController();
    const stopping: Clock = {
      nowMs: () => clock.nowMs(),
      sleep: async () => {
        stop.abort();
        stop.signal.throwIfAborted();
      },
    };
    using slow = new VolumeFixture(stopping);
    renameSync(fixture.at(".berth"), slow.at(".berth"));
    await assert.rejects(reaperOf(slow, new RecordedLog(), { entriesPerSecondMax: 100 }).pass(stop.signal));
    const [entry = ""] = trashEntries(slow);
    const left = readdirSync(slow.at(".berth/trash", entry, "tree")).length;
    assert.ok(left > 0 && left < 200, `${left} of 200 are left`);
    assert.ok(existsSync(slow.at(".berth/trash", entry, "record/identity.json")));
    assert.equal((await reaperOf(slow, new RecordedLog()).pass(never)).purged, 1);
    assert.deepEqual(slow.left(), []);
  });

  test("stops between two passes when it is told to, and a pass that fails is logged and tried again", async () => {
    using fixture = new VolumeFixture();
    await deleted(fixture, "a");
    const stop = new AbortController();
    const log = new RecordedLog();
    let sleeps = 0;
    const clock: Clock = {
      nowMs: () => Date.now(),
      sleep: async () => {
        sleeps += 1;
        if (sleeps === 2) stop.abort();
      },
    };
    let fails = true;
    const share = hookedShare(
      fixture.share,
      () => (fails ? "not done" : "done"),
      () => {
        fails = false;
        return new Error("a mistake of ours");
      },
    );
    const options = { intervalMs: 60_000, stagingGraceMs: hourMs };
    await new Reaper({ ...fixture.context, share, clock }, options, log).run(stop.signal);
    assert.deepEqual(fixture.left(), []);
    assert.equal(sleeps, 2);
    assert.match(log.text, /the reaper could not finish its pass/);
  });

  test("goes on with the others when one tree cannot be removed, and warns of that one once", async () => {
    using fixture = new VolumeFixture();
    await deleted(fixture, "a");
    await deleted(fixture, "b");
    const [first = ""] = trashEntries(fixture).sort();
    const broken = new Proxy(fixture.share, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== "function") return member;
        if (key !== "removeTree") return member.bind(target);
        return async (path: string, ...rest: unknown[]) => {
          if (path.includes(first)) throw new BerthError("storage-access", `${path} cannot be removed`);
          return await member.call(target, path, ...rest);
        };
      },
    });
    const log = new RecordedLog();
    const reaper = new Reaper(
      { ...fixture.context, share: broken },
      { intervalMs: 1, stagingGraceMs: 0 },
      log,
    );
    const { purged, waiting } = await reaper.pass(never);
    assert.deepEqual({ purged, waiting }, { purged: 1, waiting: 1 });
    await reaper.pass(never);
    assert.equal(
      log.lines.filter(({ level, message }) => level === "warn" && message.includes(first)).length,
      1,
    );
    assert.deepEqual(trashEntries(fixture), [`${first}.purging`]);
  });

  for (const [title, change] of [
    ["another cluster's", { cluster: "other" }],
    ["another driver's", { driver: "csi.other.dev" }],
  ] as const) {
    test(`leaves ${title} deleted volumes alone, and does not count them`, async () => {
      using fixture = new VolumeFixture();
      const other = new ShareVolumes({ ...fixture.context, owner: { ...owner, ...change } });
      await other.create(newCall(), requestFor("a"));
      writeFileSync(fixture.at("a/data"), "theirs");
      await other.delete(newCall(), idOf("a"));
      const { purged, waiting } = await fixture.reap();
      assert.deepEqual({ purged, waiting }, { purged: 0, waiting: 0 });
      const [entry = ""] = trashEntries(fixture);
      assert.equal(readFileSync(fixture.at(".berth/trash", entry, "tree/data"), "utf8"), "theirs");
      assert.deepEqual(await fixture.volumes.trash(newCall()), []);
    });
  }

  for (const { title, spoil } of [
    {
      title: "whose record cannot be read",
      spoil: (fixture: VolumeFixture) => {
        const [entry = ""] = trashEntries(fixture);
        writeFileSync(fixture.at(".berth/trash", entry, "record/identity.json"), '{"schema": 1, "clu');
      },
    },
    {
      title: "whose record names another tree",
      spoil: (fixture: VolumeFixture) =>
        forge(fixture, (identity) => ({
          ...identity,
          directory: Object.assign({}, identity["directory"], { fileid: "1" }),
        })),
    },
    {
      title: "whose record has another's nonce",
      spoil: (fixture: VolumeFixture) =>
        forge(fixture, (identity) => ({ ...identity, nonce: "b".repeat(26) })),
    },
  ]) {
    test(`leaves a tree ${title} where it is, warns, and lists it nowhere`, async () => {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), requestFor("victim"));
      await deleted(fixture, "a");
      spoil(fixture);
      const log = new RecordedLog();
      const { purged, waiting } = await reaperOf(fixture, log).pass(never);
      assert.deepEqual({ purged, waiting }, { purged: 0, waiting: 1 });
      const [entry = ""] = trashEntries(fixture);
      assert.ok(existsSync(fixture.at(".berth/trash", entry, "tree/file-0")));
      assert.ok(log.lines.some(({ level, message }) => level === "warn" && message.includes(entry)));
      assert.ok(existsSync(fixture.at("victim")));
    });
  }

  test("is led nowhere else by a record that names another volume's directory", async () => {
    using fixture = new VolumeFixture();
    await fixture.volumes.create(newCall(), requestFor("victim"));
    writeFileSync(fixture.at("victim/data"), "precious");
    await deleted(fixture, "a");
    forge(fixture, (identity) => ({
      ...identity,
      id: "directory/bind/victim/test",
      requestedName: "victim",
      directory: Object.assign({}, identity["directory"], { path: "victim" }),
    }));
    await fixture.reap();
    assert.equal(readFileSync(fixture.at("victim/data"), "utf8"), "precious");
    assert.equal((await fixture.volumes.get(newCall(), idOf("victim"))).state, "ready");
  });

  test("removes a creation that came to nothing, also when its directory's fileid is another volume's now", async () => {
    using fixture = new VolumeFixture();
    await fixture.volumes.create(newCall(), requestFor("pvc"));
    const identity = readFileSync(fixture.at(".berth/volumes/pvc/identity.json"), "utf8");
    const givenUp = randomNonce();
    const record = fixture.at(".berth/trash", givenUp, "record");
    mkdirSync(record, { recursive: true });
    writeFileSync(join(record, "identity.json"), identity.replaceAll(JSON.parse(identity).nonce, givenUp));
    await reaperOf(fixture, new RecordedLog()).pass(never);
    assert.deepEqual(trashEntries(fixture), []);
    assert.equal((await fixture.volumes.get(newCall(), idOf("pvc"))).state, "ready");
  });

  test("leaves what is not Berth's in trash and staging alone", async () => {
    using fixture = new VolumeFixture();
    await fixture.volumes.create(newCall(), requestFor("a"));
    for (const place of ["trash", "staging"]) {
      mkdirSync(fixture.at(".berth", place, "lost+found"));
      writeFileSync(fixture.at(".berth", place, "README"), "mine");
    }
    await fixture.reap();
    const left = fixture.left().filter((path) => /README|lost/.test(path));
    assert.equal(left.length, 4);
  });

  test("has nothing to do on a share that nobody has used", async () => {
    using fixture = new VolumeFixture();
    const report = await fixture.reap();
    assert.deepEqual(report, { purged: 0, entries: 0, waiting: 0, oldestDueMs: undefined, swept: 0 });
    assert.deepEqual(readdirSync(fixture.path), []);
  });

  test("makes anew what a backup without empty directories has lost, so that volumes grow and go again", async () => {
    for (const gone of ["staging", "trash"]) {
      const clock = new FakeClock();
      using fixture = new VolumeFixture(clock);
      await fixture.volumes.create(newCall(), requestFor("pvc"));
      rmSync(fixture.at(".berth", gone), { recursive: true });
      const log = new RecordedLog();
      const reaper = reaperOf(fixture, log);
      clock.pass(2000); // a share looks once a second for what somebody has replaced
      await reaper.pass(never);
      assert.deepEqual(
        log.lines.map(({ message }) => message),
        ["directories below .berth were missing, and are made anew"],
      );
      await fixture.volumes.expand(newCall(), idOf("pvc"), { requiredBytes: 5000n, limitBytes: 0n });
      await fixture.volumes.delete(newCall(), idOf("pvc"));
      await reaper.pass(never);
      assert.deepEqual(fixture.left(), []);
    }
  });
});

describe("the trash", () => {
  test("lists what is kept, the one deleted last first, and gives it back with its size and data", async () => {
    const clock = new FakeClock();
    using fixture = new VolumeFixture(clock);
    for (const name of ["a", "b"]) {
      await deleted(fixture, name, hourMs);
      clock.pass(1000);
    }
    const listed = await fixture.volumes.trash(newCall());
    assert.deepEqual(
      listed.map(({ volume, deletedMs, purgeAfterMs }) => [volume.id.name, purgeAfterMs - deletedMs]),
      [
        ["b", hourMs],
        ["a", hourMs],
      ],
    );
    const volume = await fixture.volumes.restore(newCall(), idOf("a").name);
    assert.deepEqual([volume.state, volume.sizeBytes], ["ready", 1000n]);
    assert.equal(readFileSync(fixture.at("a/file-0"), "utf8"), "a");
    assert.equal((await fixture.volumes.trash(newCall())).length, 1);
  });

  test("gives back the last of several deleted volumes of one name", async () => {
    const clock = new FakeClock();
    using fixture = new VolumeFixture(clock);
    for (const files of [1, 2]) {
      await deleted(fixture, "a", hourMs, files);
      clock.pass(1000);
    }
    await fixture.volumes.restore(newCall(), idOf("a").name);
    assert.deepEqual(readdirSync(fixture.at("a")).length, 2);
  });

  for (const { title, prepare, code, message } of [
    {
      title: "that was never deleted",
      prepare: async () => {},
      code: "not-found",
      message: /has no deleted volume a in its trash: `berth trash list` shows what it has$/,
    },
    {
      title: "whose name a new volume has",
      prepare: async (fixture: VolumeFixture) => {
        await deleted(fixture, "a", hourMs);
        await fixture.volumes.create(newCall(), requestFor("a"));
      },
      code: "already-exists",
      message: /\.berth\/volumes\/a exists: move it away to restore the deleted volume/,
    },
    {
      title: "whose place somebody's directory has",
      prepare: async (fixture: VolumeFixture) => {
        await deleted(fixture, "a", hourMs);
        mkdirSync(fixture.at("a"));
        writeFileSync(fixture.at("a/data"), "mine");
      },
      code: "already-exists",
      message: /a exists: move it away to restore the deleted volume/,
    },
    {
      title: "that is due, or nearly",
      prepare: async (fixture: VolumeFixture) => await deleted(fixture, "a", 59_000),
      code: "failed-precondition",
      message:
        /the retention of volume a ended at .*, so its tree may be gone in part: restore it from a backup$/,
    },
  ]) {
    test(`does not give back a volume ${title}, says why, and loses nothing`, async () => {
      using fixture = new VolumeFixture();
      await prepare(fixture);
      const everything = () => [fixture.left(), trashTrees(fixture)];
      const before = everything();
      await assert.rejects(fixture.volumes.restore(newCall(), idOf("a").name), { code, message });
      assert.deepEqual(everything(), before);
    });
  }
});

function trashTrees(fixture: VolumeFixture): string[] {
  if (!existsSync(fixture.at(".berth/trash"))) return [];
  return trashEntries(fixture).flatMap((entry) => {
    const tree = fixture.at(".berth/trash", entry, "tree");
    return existsSync(tree) ? readdirSync(tree).map((file) => join(entry, file)) : [];
  });
}
