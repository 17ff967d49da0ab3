/**
 * Every operation is stopped at each of its steps, in each way in which the world stops things, and run
 * again; and frozen at each of its steps while another process works on the same name. Exhaustive, not random.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { BerthError } from "../../src/core/errors.ts";
import type { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import { type Fate, hookedShare } from "../support/hooked-share.ts";
import { atEveryStep, hurt, injuries, stepsMax } from "../support/interleaving.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const range = { requiredBytes: 5000n, limitBytes: 0n };

const hurts = Object.entries(injuries).flatMap(([name, injury]) => [
  { name, injury, together: false },
  { name: `${name}, with lists of steps as one`, injury, together: true },
]);

for (const { name, injury, together } of hurts) {
  test(`a creation hurt by ${name} is finished by the next, and nothing is left over`, async () => {
    await atEveryStep(async (at) => {
      using fixture = new VolumeFixture();
      const create = (volumes: ShareVolumes) => volumes.create(newCall(), requestFor("pvc"));
      const reached = await hurt(fixture, injury, at, create, together);
      const volume = await fixture.volumes.create(newCall(), requestFor("pvc"));
      await fixture.reap();
      assert.equal(volume.state, "ready");
      assert.equal((await fixture.volumes.get(newCall(), idOf("pvc"))).state, "ready", `step ${at}`);
      assert.deepEqual(fixture.left(), ["pvc", ".berth/volumes/pvc", ".berth/paths/pvc"], `step ${at}`);
      return reached;
    });
  });

  test(`a creation hurt by ${name} can be deleted, and nothing is left over`, async () => {
    await atEveryStep(async (at) => {
      using fixture = new VolumeFixture();
      const create = (volumes: ShareVolumes) => volumes.create(newCall(), requestFor("pvc"));
      const reached = await hurt(fixture, injury, at, create, together);
      mkdirSync(fixture.at(".berth/volumes"), { recursive: true }); // a share that never had a volume deletes none
      await fixture.volumes.delete(newCall(), idOf("pvc"));
      await fixture.reap();
      assert.deepEqual(fixture.left(), [], `step ${at}`);
      return reached;
    });
  });

  test(`a deletion hurt by ${name} is finished by the next, and nothing is left over`, async () => {
    await atEveryStep(async (at) => {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), requestFor("pvc"));
      writeFileSync(fixture.at("pvc", "data"), "data");
      const remove = (volumes: ShareVolumes) => volumes.delete(newCall(), idOf("pvc"));
      const reached = await hurt(fixture, injury, at, remove, together);
      await fixture.volumes.delete(newCall(), idOf("pvc"));
      assert.ok(!existsSync(fixture.at("pvc")), `step ${at}`);
      await fixture.reap();
      await fixture.reap();
      assert.deepEqual(fixture.left(), [], `step ${at}`);
      return reached;
    });
  });

  test(`a deletion hurt by ${name} does not stand in the way of a new volume of that name`, async () => {
    await atEveryStep(async (at) => {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), requestFor("pvc"));
      writeFileSync(fixture.at("pvc", "data"), "old");
      const remove = (volumes: ShareVolumes) => volumes.delete(newCall(), idOf("pvc"));
      const reached = await hurt(fixture, injury, at, remove, together);
      await fixture.volumes.delete(newCall(), idOf("pvc"));
      await fixture.volumes.create(newCall(), requestFor("pvc"));
      assert.ok(!existsSync(fixture.at("pvc", "data")), `step ${at}`);
      return reached;
    });
  });
}

for (const [name, injury] of Object.entries(injuries)) {
  test(`an expansion hurt by ${name} is finished by the next, and the data stay`, async () => {
    let steps = 0;
    for (let at = 0; at < stepsMax; at += 1) {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), requestFor("pvc"));
      writeFileSync(fixture.at("pvc", "data"), "data");
      const reached = await hurt(fixture, injury, at, (volumes) =>
        volumes.expand(newCall(), idOf("pvc"), range),
      );
      assert.equal((await fixture.volumes.expand(newCall(), idOf("pvc"), range)).sizeBytes, 5000n);
      await fixture.reap();
      assert.equal(readFileSync(fixture.at("pvc", "data"), "utf8"), "data");
      assert.deepEqual(fixture.left(), ["pvc", ".berth/volumes/pvc", ".berth/paths/pvc"], `step ${at}`);
      if (!reached) break;
      steps += 1;
    }
    assert.ok(steps >= 2);
  });

  test(`a restore hurt by ${name} is finished by the next, and the data are back`, async () => {
    await atEveryStep(async (at) => {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), requestFor("pvc", { trashRetentionMs: 3_600_000 }));
      writeFileSync(fixture.at("pvc", "data"), "data");
      await fixture.volumes.delete(newCall(), idOf("pvc"));
      const reached = await hurt(fixture, injury, at, (volumes) =>
        volumes.restore(newCall(), idOf("pvc").name),
      );
      const { state } = await fixture.volumes.get(newCall(), idOf("pvc")).catch(() => ({ state: "deleted" }));
      if (state !== "ready") await fixture.volumes.restore(newCall(), idOf("pvc").name);
      await fixture.reap();
      assert.equal(readFileSync(fixture.at("pvc", "data"), "utf8"), "data", `step ${at}`);
      assert.deepEqual(fixture.left(), ["pvc", ".berth/volumes/pvc", ".berth/paths/pvc"], `step ${at}`);
      return reached;
    });
  });
}

test("a full disk at any step of a creation is final only if nothing is left", async () => {
  const full = () => new BerthError("storage-no-space", "no space left");
  await atEveryStep(async (at) => {
    using fixture = new VolumeFixture();
    await fixture.volumes.create(newCall(), requestFor("other"));
    let reached = false;
    const decide = (step: number, operation: string): Fate => {
      reached ||= step >= at;
      return step >= at && !operation.startsWith("remove") ? "not done" : "done";
    };
    const volumes = fixture.through(hookedShare(fixture.share, decide, full));
    try {
      await volumes.create(newCall(), requestFor("pvc"));
    } catch (reason) {
      assert.ok(reason instanceof BerthError);
      if (reason.code === "resource-exhausted") {
        assert.deepEqual(
          fixture.left(),
          ["other", ".berth/volumes/other", ".berth/paths/other"],
          `step ${at}`,
        );
      } else assert.equal(reason.code, "storage-no-space", `step ${at}`);
    }
    return reached;
  });
});

for (const purge of [false, true]) {
  for (const then of ["goes on", "dies after it"] as const) {
    const meanwhile = purge ? "another deletes, purges and creates anew" : "another deletes and creates anew";
    test(`a deletion that is frozen at any step while ${meanwhile}, and then ${then}, does no harm`, async () => {
      await atEveryStep(async (at) => {
        using fixture = new VolumeFixture();
        await fixture.volumes.create(newCall(), requestFor("pvc"));
        let reached = false;
        const decide = async (step: number): Promise<Fate> => {
          if (step === at) {
            reached = true;
            await fixture.volumes.delete(newCall(), idOf("pvc"));
            if (purge) await fixture.reap();
            await fixture.volumes.create(newCall(), requestFor("pvc"));
            writeFileSync(fixture.at("pvc", "data"), "new");
          }
          if (then === "goes on" || step < at) return "done";
          return step === at ? "done, answer lost" : "not done";
        };
        const frozen = fixture.through(hookedShare(fixture.share, decide, () => new Error("killed")));
        await frozen.delete(newCall(), idOf("pvc")).catch(() => undefined); // whatever it says: it is late
        await fixture.reap();
        await fixture.reap();
        if (reached) {
          assert.equal((await fixture.volumes.get(newCall(), idOf("pvc"))).state, "ready", `step ${at}`);
          assert.equal(readFileSync(fixture.at("pvc", "data"), "utf8"), "new", `step ${at}`);
        }
        return reached;
      });
    });
  }
}

test("a creation that is frozen at any step while another finishes the same makes one volume", async () => {
  await atEveryStep(async (at) => {
    using fixture = new VolumeFixture();
    let reached = false;
    const decide = async (step: number): Promise<Fate> => {
      if (step === at) {
        reached = true;
        await fixture.volumes.create(newCall(), requestFor("pvc"));
        writeFileSync(fixture.at("pvc", "data"), "written");
      }
      return "done";
    };
    const volumes = fixture.through(hookedShare(fixture.share, decide, () => new Error("never")));
    assert.equal((await volumes.create(newCall(), requestFor("pvc"))).state, "ready", `step ${at}`);
    await fixture.reap();
    assert.deepEqual(fixture.left(), ["pvc", ".berth/volumes/pvc", ".berth/paths/pvc"], `step ${at}`);
    if (reached) assert.equal(readFileSync(fixture.at("pvc", "data"), "utf8"), "written", `step ${at}`);
    return reached;
  });
});

test("a deletion that is frozen at any step while another decides the same leaves one volume in the trash", async () => {
  await atEveryStep(async (at) => {
    using fixture = new VolumeFixture();
    await fixture.volumes.create(newCall(), requestFor("pvc", { trashRetentionMs: 3_600_000 }));
    writeFileSync(fixture.at("pvc", "data"), "data");
    let reached = false;
    const decide = async (step: number): Promise<Fate> => {
      if (step === at) {
        reached = true;
        await fixture.volumes.delete(newCall(), idOf("pvc"));
      }
      return "done";
    };
    const frozen = fixture.through(hookedShare(fixture.share, decide, () => new Error("never")));
    await frozen.delete(newCall(), idOf("pvc"));
    const trash = await fixture.volumes.trash(newCall());
    assert.deepEqual(
      trash.map(({ state }) => state),
      ["kept"],
      `step ${at}`,
    );
    await fixture.volumes.restore(newCall(), idOf("pvc").name);
    await fixture.reap();
    assert.equal(readFileSync(fixture.at("pvc", "data"), "utf8"), "data", `step ${at}`);
    assert.deepEqual(fixture.left(), ["pvc", ".berth/volumes/pvc", ".berth/paths/pvc"], `step ${at}`);
    return reached;
  });
});

test("a creation whose first step is refused when later ones of its list were done leaves nothing", async () => {
  using fixture = new VolumeFixture();
  await fixture.volumes.create(newCall(), requestFor("pvc"));
  await fixture.volumes.delete(newCall(), idOf("pvc"));
  await fixture.reap();
  // A directory that is made, and whose mode the server does not let us set.
  const refusal = () => new BerthError("storage-access", "not yours");
  const decide = (step: number): Fate => (step === 0 ? "done, answer lost" : "done");
  const volumes = fixture.through(hookedShare(fixture.share, decide, refusal, true));
  await assert.rejects(volumes.create(newCall(), requestFor("pvc")), { code: "permission-denied" });
  assert.deepEqual(fixture.left(), []);
});
