/**
 * Directories of a class's own choosing (subDir), on a share: who may have which, what becomes of them at
 * deletion, and what is left when any of it is cut off or frozen at any step.
 */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { describe, test } from "node:test";
import { BerthError } from "../../src/core/errors.ts";
import { randomNonce } from "../../src/core/nonce.ts";
import { parseDirectoryPath } from "../../src/volumes/directory-path.ts";
import type { VolumeRequest } from "../../src/volumes/volume.ts";
import { type Fate, hookedShare } from "../support/hooked-share.ts";
import { atEveryStep, hurt, injuries } from "../support/interleaving.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

function at(name: string, path: string, more: Partial<VolumeRequest> = {}): VolumeRequest {
  return requestFor(name, { path: parseDirectoryPath(path), ...more });
}

const create = (fixture: VolumeFixture, request: VolumeRequest) => fixture.volumes.create(newCall(), request);
/** Whose creation may have been cut off before anything was there: a share that never had a volume deletes none. */
async function removeFromUsed(fixture: VolumeFixture, name: string): Promise<void> {
  mkdirSync(fixture.at(".berth/volumes"), { recursive: true });
  await remove(fixture, name);
}

const remove = (fixture: VolumeFixture, name: string) => fixture.volumes.delete(newCall(), idOf(name));

describe("of two volumes' directories neither is, contains nor lies in the other", () => {
  const pairs: readonly [string, string][] = [
    ["team/app", "team/app"],
    ["team/app", "team/app/data"],
    ["team/app", "team"],
    ["team/app/data", "team"],
    ["one", "one"],
    ["one", "one/two/three"],
  ];
  for (const [first, second] of pairs) {
    test(`${first}, then ${second}`, async () => {
      using fixture = new VolumeFixture();
      await create(fixture, at("first", first));
      await assert.rejects(create(fixture, at("second", second)), {
        code: "already-exists",
        message: /first|exists/,
      });
      assert.ok(!fixture.left().includes(".berth/volumes/second"));
      assert.equal((await fixture.volumes.get(newCall(), idOf("first"))).state, "ready");
      await remove(fixture, "first");
      await create(fixture, at("second", second));
      await remove(fixture, "second");
      await fixture.reap();
      assert.deepEqual(fixture.left(), []);
    });
  }

  test("a volume of that name, without subDir, has it too", async () => {
    using fixture = new VolumeFixture();
    await create(fixture, requestFor("team"));
    await assert.rejects(create(fixture, at("second", "team/app")), { code: "already-exists" });
    await remove(fixture, "team");
    await create(fixture, at("second", "team/app"));
    await assert.rejects(create(fixture, requestFor("team")), { code: "already-exists" });
  });

  test("also where one takes over what exists", async () => {
    using fixture = new VolumeFixture();
    await create(fixture, at("first", "team/app"));
    for (const path of ["team", "team/app", "team/app/data"]) {
      mkdirSync(fixture.at(path), { recursive: true });
      await assert.rejects(create(fixture, at("second", path, { adopt: {} })), { code: "already-exists" });
    }
    assert.equal((await fixture.volumes.get(newCall(), idOf("first"))).state, "ready");
  });
});

test("parents are made as they are needed, and removed with the last volume in them", async () => {
  using fixture = new VolumeFixture();
  await create(fixture, at("one", "team/a/data"));
  await create(fixture, at("two", "team/b"));
  assert.equal(statSync(fixture.at("team")).mode & 0o7777, 0o755);
  await remove(fixture, "one");
  assert.deepEqual(readdirSync(fixture.at("team")), ["b"]);
  await remove(fixture, "two");
  await fixture.reap();
  assert.deepEqual(fixture.left(), []);
});

test("parents that somebody else made, or uses, stay", async () => {
  using fixture = new VolumeFixture();
  mkdirSync(fixture.at("theirs"));
  await create(fixture, at("one", "theirs/ours/data"));
  await create(fixture, at("two", "ours/data"));
  writeFileSync(fixture.at("ours/notes"), "");
  for (const name of ["one", "two"]) await remove(fixture, name);
  assert.deepEqual(readdirSync(fixture.at("theirs")), []);
  assert.deepEqual(readdirSync(fixture.at("ours")), ["notes"]);
});

test("a parent that is a file or a symbolic link is refused, and nothing is left", async () => {
  using fixture = new VolumeFixture();
  mkdirSync(fixture.at("elsewhere"));
  writeFileSync(fixture.at("file"), "");
  symlinkSync("elsewhere", fixture.at("link"));
  for (const parent of ["file", "link"]) {
    await assert.rejects(create(fixture, at("pvc", `${parent}/data`)), { code: "failed-precondition" });
  }
  await fixture.reap();
  assert.deepEqual(fixture.left().sort(), ["elsewhere", "file", "link"]);
  assert.deepEqual(readdirSync(fixture.at("elsewhere")), []);
});

test("a volume whose claim was lost in a crash is deleted as any, and its path is free", async () => {
  using fixture = new VolumeFixture();
  await create(fixture, at("pvc", "team/app"));
  // Taken by mistake by the release of an earlier volume, which died before it gave it back.
  renameSync(fixture.at(".berth/paths/team/app"), fixture.at(`.berth/staging/${randomNonce()}.json`));
  await remove(fixture, "pvc");
  await fixture.reap();
  assert.ok(!existsSync(fixture.at("team/app")));
  await create(fixture, at("next", "team"));
});

describe("adoptExisting", () => {
  test("takes over a directory with what is in it, and deletion takes both", async () => {
    using fixture = new VolumeFixture();
    mkdirSync(fixture.at("old/app"), { recursive: true, mode: 0o750 });
    writeFileSync(fixture.at("old/app/data"), "data");
    const volume = await create(fixture, at("pvc", "old/app", { adopt: {} }));
    assert.deepEqual([volume.state, volume.directory], ["ready", "old/app"]);
    assert.equal(statSync(fixture.at("old/app")).mode & 0o7777, 0o750);
    await create(fixture, at("pvc", "old/app", { adopt: {} }));
    await remove(fixture, "pvc");
    await fixture.reap();
    assert.deepEqual(fixture.left(), ["old"]);
    assert.deepEqual(readdirSync(fixture.at("old")), []);
  });

  test("gives it the mode and owner that the class names", async () => {
    using fixture = new VolumeFixture();
    mkdirSync(fixture.at("app"), { mode: 0o700 });
    await create(fixture, at("pvc", "app", { adopt: { mode: 0o2770, uid: 1000, gid: 1001 } }));
    const { mode, uid, gid } = statSync(fixture.at("app"));
    assert.deepEqual([mode & 0o7777, uid, gid], [0o2770, 1000, 1001]);
  });

  test("makes what is not there", async () => {
    using fixture = new VolumeFixture();
    await create(fixture, at("pvc", "team/app", { adopt: {} }));
    await remove(fixture, "pvc");
    await fixture.reap();
    assert.deepEqual(fixture.left(), []);
  });

  test("refuses what is no directory", async () => {
    using fixture = new VolumeFixture();
    writeFileSync(fixture.at("file"), "");
    symlinkSync("/etc", fixture.at("link"));
    for (const path of ["file", "link"]) {
      await assert.rejects(create(fixture, at("pvc", path, { adopt: {} })), { code: "failed-precondition" });
    }
  });

  for (const [name, injury] of Object.entries(injuries)) {
    test(`that is hurt by ${name} loses nothing: the next adopts, or a deletion before that leaves it`, async () => {
      for (const then of ["adopt", "delete"] as const) {
        await atEveryStep(async (step) => {
          using fixture = new VolumeFixture();
          mkdirSync(fixture.at("app"));
          writeFileSync(fixture.at("app/data"), "data");
          let isDone = false;
          const reached = await hurt(fixture, injury, step, async (volumes) => {
            await volumes.create(newCall(), at("pvc", "app", { adopt: {}, onDelete: "retain" }));
            isDone = true;
          });
          if (then === "adopt") await create(fixture, at("pvc", "app", { adopt: {}, onDelete: "retain" }));
          else await removeFromUsed(fixture, "pvc");
          await fixture.reap();
          assert.equal(readFileSync(fixture.at("app/data"), "utf8"), "data", `step ${step}`);
          if (then === "delete") {
            const kept = fixture.left().filter((path) => !path.startsWith(".berth/kept/"));
            assert.deepEqual(kept, ["app"], `step ${step}, done: ${isDone}`);
          }
          return reached;
        });
      }
    });
  }
});

for (const [name, injury] of Object.entries(injuries)) {
  test(`a creation in new parents, hurt by ${name}, is finished or undone without a trace`, async () => {
    for (const then of ["create", "delete"] as const) {
      await atEveryStep(async (step) => {
        using fixture = new VolumeFixture();
        const request = at("pvc", "team/a/data");
        const reached = await hurt(fixture, injury, step, (volumes) => volumes.create(newCall(), request));
        if (then === "create") await create(fixture, request);
        await removeFromUsed(fixture, "pvc");
        await fixture.reap();
        await fixture.reap();
        assert.deepEqual(fixture.left(), [], `step ${step}, then ${then}`);
        return reached;
      });
    }
  });

  test(`a deletion hurt by ${name} frees its path to others once it is finished`, async () => {
    await atEveryStep(async (step) => {
      using fixture = new VolumeFixture();
      await create(fixture, at("pvc", "team/app"));
      writeFileSync(fixture.at("team/app/data"), "old");
      const reached = await hurt(fixture, injury, step, (volumes) => volumes.delete(newCall(), idOf("pvc")));
      await remove(fixture, "pvc");
      await create(fixture, at("next", "team/app"));
      assert.ok(!existsSync(fixture.at("team/app/data")), `step ${step}`);
      await remove(fixture, "next");
      await fixture.reap();
      await fixture.reap();
      assert.deepEqual(fixture.left(), [], `step ${step}`);
      return reached;
    });
  });

  test(`a creation hurt by ${name} gives way to a volume that gets its path first, or has it`, async () => {
    await atEveryStep(async (step) => {
      using fixture = new VolumeFixture();
      const reached = await hurt(fixture, injury, step, (volumes) =>
        volumes.create(newCall(), at("pvc", "team/app")),
      );
      const other = create(fixture, at("other", "team"));
      const wins = await other.then(
        () => true,
        (reason: unknown) => {
          assert.ok(
            reason instanceof BerthError && reason.code === "already-exists",
            `step ${step}: ${reason}`,
          );
          return false;
        },
      );
      if (wins) await assert.rejects(create(fixture, at("pvc", "team/app")), { code: "already-exists" });
      else await create(fixture, at("pvc", "team/app"));
      for (const volume of ["pvc", "other"]) await remove(fixture, volume);
      await fixture.reap();
      await fixture.reap();
      assert.deepEqual(fixture.left(), [], `step ${step}`);
      return reached;
    });
  });
}

for (const [ours, theirs] of [
  ["team/app", "team/app"],
  ["team/app", "team"],
  ["team", "team/app"],
] as const) {
  test(`of two creations, of ${ours} and ${theirs}, frozen at any step, one wins and stays`, async () => {
    await atEveryStep(async (step) => {
      using fixture = new VolumeFixture();
      let reached = false;
      const outcomes: string[] = [];
      const note = async (name: string, creation: Promise<unknown>): Promise<void> => {
        await creation.then(
          () => outcomes.push(name),
          (reason: unknown) => assert.ok(reason instanceof BerthError && /^a/.test(reason.code), `${reason}`),
        );
      };
      const decide = async (number: number): Promise<Fate> => {
        if (number === step) {
          reached = true;
          await note("theirs", create(fixture, at("theirs", theirs)));
        }
        return "done";
      };
      const frozen = fixture.through(hookedShare(fixture.share, decide, () => new Error("never")));
      await note("ours", frozen.create(newCall(), at("ours", ours)));
      assert.ok(outcomes.length <= (reached ? 1 : 2), `step ${step}: both ${outcomes}`);
      if (reached) assert.equal(outcomes.length, 1, `step ${step}: nobody won`);
      for (const name of outcomes)
        assert.equal((await fixture.volumes.get(newCall(), idOf(name))).state, "ready", `step ${step}`);
      for (const volume of ["ours", "theirs"]) await remove(fixture, volume);
      await fixture.reap();
      await fixture.reap();
      assert.deepEqual(fixture.left(), [], `step ${step}`);
      return reached;
    });
  });
}

for (const then of ["goes on", "dies after it"] as const) {
  test(`a deletion that is frozen while another finishes it and its path goes to the next volume, and then ${then}, does no harm`, async () => {
    await atEveryStep(async (step) => {
      using fixture = new VolumeFixture();
      await create(fixture, at("pvc", "team/app"));
      let reached = false;
      const decide = async (number: number): Promise<Fate> => {
        if (number === step) {
          reached = true;
          await remove(fixture, "pvc");
          await create(fixture, at("next", "team/app"));
          writeFileSync(fixture.at("team/app/data"), "new");
        }
        if (then === "goes on" || number < step) return "done";
        return number === step ? "done, answer lost" : "not done";
      };
      const frozen = fixture.through(hookedShare(fixture.share, decide, () => new Error("killed")));
      await frozen.delete(newCall(), idOf("pvc")).catch(() => undefined); // whatever it says: it is late
      await fixture.reap();
      await fixture.reap();
      if (!reached) return false;
      assert.equal(readFileSync(fixture.at("team/app/data"), "utf8"), "new", `step ${step}`);
      assert.equal((await fixture.volumes.get(newCall(), idOf("next"))).state, "ready", `step ${step}`);
      await assert.rejects(create(fixture, at("third", "team")), { code: "already-exists" }, `step ${step}`);
      await remove(fixture, "next");
      await fixture.reap();
      const rest = fixture.left().filter((path) => path !== "team" && path !== ".berth/paths/team");
      assert.deepEqual(rest, [], `step ${step}`);
      return reached;
    });
  });
}

test("a volume gets the path of a parent whose last volume is just being deleted, at the latest when it is", async () => {
  await atEveryStep(async (step) => {
    using fixture = new VolumeFixture();
    await create(fixture, at("pvc", "team/app"));
    writeFileSync(fixture.at("team/app/data"), "old");
    let reached = false;
    const decide = async (number: number): Promise<Fate> => {
      if (number !== step) return "done";
      reached = true;
      const creation = create(fixture, at("next", "team"));
      await creation.then(
        () => writeFileSync(fixture.at("team/data"), "new"),
        (reason: unknown) => assert.ok(reason instanceof BerthError, `step ${step}`),
      );
      return "done";
    };
    const frozen = fixture.through(hookedShare(fixture.share, decide, () => new Error("never")));
    await frozen.delete(newCall(), idOf("pvc"));
    assert.equal((await create(fixture, at("next", "team"))).state, "ready", `step ${step}`);
    assert.ok(!existsSync(fixture.at("team/app")), `step ${step}`);
    await remove(fixture, "next");
    await fixture.reap();
    await fixture.reap();
    assert.deepEqual(fixture.left(), [], `step ${step}`);
    return reached;
  });
});

test("a parent that somebody uses is not removed for a volume at its path, nor by the deletion of its last volume", async () => {
  using fixture = new VolumeFixture();
  await create(fixture, at("pvc", "team/app"));
  writeFileSync(fixture.at("team/theirs"), "");
  const names = fixture.left();
  await assert.rejects(create(fixture, at("next", "team")), { code: "already-exists" });
  assert.deepEqual(fixture.left(), names);
  await remove(fixture, "pvc");
  await assert.rejects(create(fixture, at("next", "team")), { code: "already-exists" });
  assert.deepEqual(readdirSync(fixture.at("team")), ["theirs"]);
});
