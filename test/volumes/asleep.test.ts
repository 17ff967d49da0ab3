/**
 * A deletion that sleeps before one of its steps, wakes in another world, and goes on or dies after a later step:
 * what has come in its place stays, for each two steps.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { systemClock } from "../../src/core/clock.ts";
import { BerthError } from "../../src/core/errors.ts";
import type { Share } from "../../src/share/share.ts";
import type { SharePath } from "../../src/share/share-path.ts";
import { parseDirectoryPath } from "../../src/volumes/directory-path.ts";
import type { VolumeRequest } from "../../src/volumes/volume.ts";
import { type Fate, hookedShare } from "../support/hooked-share.ts";
import { atEveryNight, atEveryStep, Sleeper, stepsMax } from "../support/interleaving.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const hourMs = 3_600_000;
const never = Number.POSITIVE_INFINITY;

/** What others make of a volume at `team`, called `pvc`, while its deletion sleeps. */
interface World {
  readonly what: string;
  /** Where something lies by then that must stay. */
  readonly data: string;
  readonly owner?: string;
  readonly come: (fixture: VolumeFixture) => Promise<unknown>;
}

const at = (path: string, more: Partial<VolumeRequest> = {}): Partial<VolumeRequest> => ({
  path: parseDirectoryPath(path),
  ...more,
});
const first = requestFor("pvc", at("team", { trashRetentionMs: hourMs }));
const purged = requestFor("pvc", at("team"));
const remove = (fixture: VolumeFixture, name = "pvc") => fixture.volumes.delete(newCall(), idOf(name));

const worlds: readonly World[] = [
  {
    what: "creates it anew",
    data: "team/data",
    owner: "pvc",
    come: (fixture) => fixture.volumes.create(newCall(), purged),
  },
  {
    what: "creates another below it",
    data: "team/app/data",
    owner: "next",
    come: (fixture) => fixture.volumes.create(newCall(), requestFor("next", at("team/app"))),
  },
  {
    what: "makes a directory of that name by hand",
    data: "team/data",
    come: async (fixture) => mkdirSync(fixture.at("team")),
  },
];

/** Lets a deletion sleep while another finishes it and the world comes. */
async function sleepThrough(
  fixture: VolumeFixture,
  { data, come }: World,
  isPurged: boolean,
  sleeps: number,
  dies: number,
): Promise<Sleeper> {
  const sleeper = new Sleeper(fixture.share, sleeps, dies, async () => {
    await remove(fixture);
    if (isPurged) await fixture.reap();
    await come(fixture);
    writeFileSync(fixture.at(data), "new");
  });
  await fixture
    .through(sleeper.share)
    .delete(newCall(), idOf("pvc"))
    .catch(() => undefined); // whatever it says: it is late
  await fixture.reap();
  await fixture.reap();
  return sleeper;
}

/** What has come is there, whole, claimed, and can be deleted as any. */
async function assertUnharmed(fixture: VolumeFixture, { data, owner }: World, when: string): Promise<void> {
  assert.equal(readFileSync(fixture.at(data), "utf8"), "new", when);
  if (owner === undefined) return;
  assert.equal((await fixture.volumes.get(newCall(), idOf(owner))).state, "ready", when);
  for (const path of ["team", "team/app"]) {
    const creation = fixture.volumes.create(newCall(), requestFor("third", at(path)));
    await assert.rejects(creation, { code: "already-exists" }, when);
  }
  await remove(fixture, owner);
  assert.ok(!existsSync(fixture.at(data)), when);
}

for (const world of worlds) {
  for (const isPurged of [false, true]) {
    const title = `another finishes it${isPurged ? ", purges it" : ""} and ${world.what}`;
    test(`a deletion that sleeps while ${title}, and then goes on or dies, does no harm`, async () => {
      await atEveryNight(async (sleeps, dies) => {
        using fixture = new VolumeFixture();
        await fixture.volumes.create(newCall(), isPurged ? purged : first);
        writeFileSync(fixture.at("team/data"), "old");
        const sleeper = await sleepThrough(fixture, world, isPurged, sleeps, dies);
        if (sleeper.hasSlept) await assertUnharmed(fixture, world, `sleeps at ${sleeps}, dies at ${dies}`);
        return sleeper;
      });
    });
  }

  test(`a deletion of an empty volume that sleeps while another finishes it and ${world.what} does no harm`, async () => {
    await atEveryStep(async (sleeps) => {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), first);
      const { hasSlept } = await sleepThrough(fixture, world, false, sleeps, never);
      if (hasSlept) await assertUnharmed(fixture, world, `sleeps at ${sleeps}`);
      return hasSlept;
    });
  });
}

const restore = (fixture: VolumeFixture) => fixture.volumes.restore(newCall(), idOf("pvc").name);

/** A deletion that slept before it had decided anything may do so when it is awake again. */
async function restoreIfDeleted(fixture: VolumeFixture): Promise<void> {
  const { state } = await fixture.volumes.get(newCall(), idOf("pvc")).catch(() => ({ state: "deleted" }));
  if (state !== "ready") await restore(fixture);
}

test("a deletion that sleeps while another finishes it and the volume is restored, and then goes on or dies, does no harm", async () => {
  const restored: World = { what: "restores it", data: "team/data", owner: "pvc", come: restore };
  await atEveryNight(async (sleeps, dies) => {
    using fixture = new VolumeFixture();
    await fixture.volumes.create(newCall(), first);
    const sleeper = await sleepThrough(fixture, restored, false, sleeps, dies);
    await restoreIfDeleted(fixture);
    if (sleeper.hasSlept) await assertUnharmed(fixture, restored, `sleeps at ${sleeps}, dies at ${dies}`);
    return sleeper;
  });
});

/**
 * One step of a deletion comes late: another finishes the deletion, and the step is taken before step `restoreAt` of a
 * restore of the volume.
 */
async function wakeInRestore(fixture: VolumeFixture, sleeps: number, restoreAt: number) {
  const [asleep, awake] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let hasSlept = false;
  const sleeping = async (step: number): Promise<Fate> => {
    if (step === sleeps) {
      hasSlept = true;
      asleep.resolve();
      await awake.promise;
    }
    return "done";
  };
  const late = fixture
    .through(hookedShare(fixture.share, sleeping, () => new Error("never")))
    .delete(newCall(), idOf("pvc"))
    .catch(() => undefined);
  await Promise.race([asleep.promise, late]);
  await remove(fixture);
  let isReached = false;
  const decide = async (step: number): Promise<Fate> => {
    if (step === restoreAt) {
      isReached = true;
      awake.resolve();
      await late;
    }
    return "done";
  };
  const restoring = fixture.through(hookedShare(fixture.share, decide, () => new Error("never")));
  const isRestored = await restoring.restore(newCall(), idOf("pvc").name).then(
    () => true,
    () => false, // the deletion won
  );
  awake.resolve();
  await late;
  return { hasSlept, isReached, isRestored };
}

test("a deletion of which one step comes in the midst of a restore leaves the volume deleted, or whole", async () => {
  const restored: World = { what: "restores it", data: "team/data", owner: "pvc", come: async () => {} };
  await atEveryStep(async (sleeps) => {
    let isLate = false;
    for (let restoreAt = 0; restoreAt < stepsMax; restoreAt += 1) {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), first);
      writeFileSync(fixture.at("team/data"), "new");
      const { hasSlept, isReached, isRestored } = await wakeInRestore(fixture, sleeps, restoreAt);
      isLate ||= hasSlept;
      if (isRestored) await restoreIfDeleted(fixture);
      else await restore(fixture);
      await fixture.reap();
      await assertUnharmed(fixture, restored, `sleeps at ${sleeps}, wakes at ${restoreAt}`);
      if (!isReached) break;
    }
    return isLate;
  });
});

/** A share as a server gives it that squashes root: what is somebody else's gets no other parent, unless all may write there. */
function squashing(share: Share): Share {
  return new Proxy(share, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== "function") return member;
      if (key !== "rename") return member.bind(target);
      return async (from: SharePath, to: SharePath) => {
        const { uid, mode } = await target.stat(from);
        if (uid !== 0 && (mode & 0o002) === 0) throw new BerthError("storage-access", `${from} is closed`);
        await target.rename(from, to);
      };
    },
  });
}

test("a volume that a late deletion has moved comes back where root is squashed, with its mode", async () => {
  const request = requestFor("pvc", at("team", { directory: { mode: 0o755, uid: 2000 } }));
  const anew: World = {
    what: "creates it anew",
    data: "team/data",
    owner: "pvc",
    come: (fixture) => fixture.volumes.create(newCall(), request),
  };
  await atEveryNight(async (sleeps, dies) => {
    const when = `sleeps at ${sleeps}, dies at ${dies}`;
    using fixture = new VolumeFixture(systemClock, squashing);
    await fixture.volumes.create(newCall(), { ...request, trashRetentionMs: hourMs });
    const sleeper = await sleepThrough(fixture, anew, false, sleeps, dies);
    if (!sleeper.hasSlept) return sleeper;
    const { mode, uid } = statSync(fixture.at("team"));
    assert.equal(uid, 2000, when);
    if (!sleeper.hasDied) assert.equal(mode & 0o7777, 0o755, when);
    await assertUnharmed(fixture, anew, when);
    return sleeper;
  });
});
