/** Processes that freeze and wake late, or die, in the midst of taking something back: nobody's data go with it. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { BerthError } from "../../src/core/errors.ts";
import { readRecord } from "../../src/volumes/catalog.ts";
import { parseDirectoryPath } from "../../src/volumes/directory-path.ts";
import { trashedRecordPath } from "../../src/volumes/layout.ts";
import { letGo } from "../../src/volumes/path-claim.ts";
import { nonceOf } from "../../src/volumes/record.ts";
import type { VolumeRequest } from "../../src/volumes/volume.ts";
import { type Fate, hookedShare } from "../support/hooked-share.ts";
import { atEveryStep } from "../support/interleaving.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const killed = () => new Error("killed");
const expected = (reason: unknown): undefined => {
  assert.ok(reason instanceof BerthError || (reason instanceof Error && reason.message === "killed"));
};

/** A creation that meets a stranger's directory in its place, and so gives up; `meanwhile` happens at a step of it. */
async function givingUp(
  fixture: VolumeFixture,
  at: number,
  meanwhile: () => Promise<void>,
  then: Fate,
): Promise<boolean> {
  let reached = false;
  const decide = async (step: number): Promise<Fate> => {
    if (step === 1) mkdirSync(fixture.at("pvc/stranger"), { recursive: true });
    if (step < at) return "done";
    if (step === at) {
      reached = true;
      await meanwhile();
    }
    return then;
  };
  const late = fixture.through(hookedShare(fixture.share, decide, killed));
  await late.create(newCall(), requestFor("pvc")).catch(expected);
  return reached;
}

test("a creation that gives up late does not take the volume that another has finished meanwhile", async () => {
  await atEveryStep(async (at) => {
    using fixture = new VolumeFixture();
    let isMade = false;
    const meanwhile = async (): Promise<void> => {
      rmSync(fixture.at("pvc"), { recursive: true, force: true });
      const made = await fixture.volumes.create(newCall(), requestFor("pvc")).catch(expected);
      isMade = made !== undefined;
      if (isMade) writeFileSync(fixture.at("pvc/data"), "data");
    };
    const reached = await givingUp(fixture, at, meanwhile, "done");
    await fixture.reap();
    if (isMade) {
      assert.equal(readFileSync(fixture.at("pvc/data"), "utf8"), "data", `step ${at}`);
      assert.equal((await fixture.volumes.get(newCall(), idOf("pvc"))).state, "ready", `step ${at}`);
      await fixture.volumes.delete(newCall(), idOf("pvc"));
    } else if (reached) {
      await fixture.volumes.create(newCall(), requestFor("pvc"));
      await fixture.volumes.delete(newCall(), idOf("pvc"));
    } else rmSync(fixture.at("pvc"), { recursive: true, force: true });
    await fixture.reap();
    await fixture.reap();
    assert.deepEqual(fixture.left(), [], `step ${at}`);
    return reached;
  });
});

test("a creation that is cut off while it gives up can be asked for again", async () => {
  await atEveryStep(async (at) => {
    using fixture = new VolumeFixture();
    const meanwhile = async () => rmSync(fixture.at("pvc"), { recursive: true, force: true });
    const reached = await givingUp(fixture, at, meanwhile, "not done");
    rmSync(fixture.at("pvc/stranger"), { recursive: true, force: true });
    if (existsSync(fixture.at("pvc")) && !reached) rmSync(fixture.at("pvc"), { recursive: true });
    await fixture.volumes.create(newCall(), requestFor("pvc")).catch(expected);
    const { state } = await fixture.volumes.create(newCall(), requestFor("pvc"));
    assert.equal(state, "ready", `step ${at}`);
    await fixture.reap();
    await fixture.reap();
    assert.deepEqual(fixture.left(), ["pvc", ".berth/volumes/pvc", ".berth/paths/pvc"], `step ${at}`);
    return reached;
  });
});

for (const then of ["goes on", "dies after it"] as const) {
  test(`a deletion that is frozen while another finishes it and the volume is restored, and then ${then}, loses nothing`, async () => {
    await atEveryStep(async (at) => {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), requestFor("pvc", { trashRetentionMs: 3_600_000 }));
      writeFileSync(fixture.at("pvc/data"), "data");
      let reached = false;
      const decide = async (step: number): Promise<Fate> => {
        if (step === at) {
          reached = true;
          await fixture.volumes.delete(newCall(), idOf("pvc"));
          await fixture.volumes.restore(newCall(), idOf("pvc").name);
        }
        if (then === "goes on" || step < at) return "done";
        return step === at ? "done, answer lost" : "not done";
      };
      const late = fixture.through(hookedShare(fixture.share, decide, killed));
      await late.delete(newCall(), idOf("pvc")).catch(expected);
      await fixture.reap();
      await fixture.reap();
      if (!existsSync(fixture.at("pvc/data"))) await fixture.volumes.restore(newCall(), idOf("pvc").name);
      assert.equal(readFileSync(fixture.at("pvc/data"), "utf8"), "data", `step ${at}`);
      return reached;
    });
  });
}

for (const how of ["made", "adopted"] as const) {
  test(`a creation whose path is another's gives up late, and leaves the volume that was ${how} since`, async () => {
    const path = parseDirectoryPath("team/app");
    const request = requestFor("pvc", { path, ...(how === "adopted" ? { adopt: {} } : {}) });
    await atEveryStep(async (index) => {
      const at = how === "adopted" ? index + 1 : index; // step 0 is beside the look
      using fixture = new VolumeFixture();
      let reached = false;
      let isMade = false;
      if (how === "adopted") mkdirSync(fixture.at("team/app"), { recursive: true });
      const other: Partial<VolumeRequest> =
        how === "adopted" ? { path, adopt: {}, onDelete: "retain" } : { path: parseDirectoryPath("team") };
      const takePath = () => fixture.volumes.create(newCall(), requestFor("other", other));
      if (how !== "adopted") await takePath();
      const decide = async (step: number): Promise<Fate> => {
        if (how === "adopted" && step === 1) await takePath(); // after it was looked at
        if (step !== at) return "done";
        reached = true;
        await fixture.volumes.delete(newCall(), idOf("other"));
        const made = await fixture.volumes.create(newCall(), request).catch(expected);
        isMade = made !== undefined;
        if (isMade) writeFileSync(fixture.at("team/app/data"), "data");
        return "done";
      };
      const late = fixture.through(hookedShare(fixture.share, decide, killed));
      await late.create(newCall(), request).catch(expected);
      await fixture.reap();
      if (isMade) {
        assert.equal(readFileSync(fixture.at("team/app/data"), "utf8"), "data", `step ${at}`);
        const { state } = await fixture.volumes.get(newCall(), idOf("pvc"));
        assert.equal(state, "ready", `step ${at}`);
        await fixture.volumes.delete(newCall(), idOf("pvc"));
        assert.ok(!existsSync(fixture.at("team/app")), `step ${at}`);
      } else if (reached) {
        assert.equal((await fixture.volumes.create(newCall(), request)).state, "ready", `step ${at}`);
      }
      return reached;
    });
  });
}

test("a claim of a newer volume is put back at once, whatever the late deletion still waits for", async () => {
  using fixture = new VolumeFixture();
  await fixture.volumes.create(newCall(), requestFor("pvc"));
  const old = await readRecord(fixture.share, idOf("pvc").name);
  assert.ok(old !== undefined);
  await fixture.volumes.delete(newCall(), idOf("pvc"));
  await fixture.volumes.create(newCall(), requestFor("pvc"));
  const before = readFileSync(fixture.at(".berth/paths/pvc"), "utf8");
  const never = new Promise<never>(() => {});
  await letGo(fixture.context, old, trashedRecordPath(nonceOf(old.identity)), never);
  assert.equal(readFileSync(fixture.at(".berth/paths/pvc"), "utf8"), before);
});
