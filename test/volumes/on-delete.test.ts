/** What a class wants of a deletion: the directory may stay, or get another name, and the call may come again. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { parseDirectoryPath } from "../../src/volumes/directory-path.ts";
import type { VolumeRequest } from "../../src/volumes/volume.ts";
import { type Fate, hookedShare } from "../support/hooked-share.ts";
import { atEveryStep, hurt, injuries } from "../support/interleaving.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

function at(name: string, path: string, more: Partial<VolumeRequest> = {}): VolumeRequest {
  return requestFor(name, { path: parseDirectoryPath(path), ...more });
}

const create = (fixture: VolumeFixture, request: VolumeRequest) => fixture.volumes.create(newCall(), request);
const remove = (fixture: VolumeFixture, name: string) => fixture.volumes.delete(newCall(), idOf(name));

describe("onDelete", () => {
  test("retain leaves the directory, and keeps the record for people", async () => {
    using fixture = new VolumeFixture();
    await create(fixture, at("pvc", "team/app", { onDelete: "retain" }));
    writeFileSync(fixture.at("team/app/data"), "data");
    await remove(fixture, "pvc");
    await remove(fixture, "pvc");
    await fixture.reap();
    assert.equal(readFileSync(fixture.at("team/app/data"), "utf8"), "data");
    const kept = fixture.left().filter((path) => path.startsWith(".berth/kept"));
    assert.equal(kept.length, 1);
    assert.match(readFileSync(fixture.at(`${kept[0]}/identity.json`), "utf8"), /"path": "team\/app"/);
    await assert.rejects(create(fixture, at("next", "team/app")), {
      code: "already-exists",
      message: /adoptExisting/,
    });
    await create(fixture, at("next", "team/app", { adopt: {} }));
    assert.equal(readFileSync(fixture.at("team/app/data"), "utf8"), "data");
  });

  for (const path of ["team/app", "pvc"]) {
    const request = () => at("pvc", path, { onDelete: "retain" });

    test(`retain of ${path} may be asked for again, and leaves alone what somebody puts there later`, async () => {
      using fixture = new VolumeFixture();
      await create(fixture, request());
      for (const _ of [1, 2, 3]) await remove(fixture, "pvc");
      assert.ok(existsSync(fixture.at(path)));
      renameSync(fixture.at(path), fixture.at("elsewhere"));
      mkdirSync(fixture.at(path));
      const again = remove(fixture, "pvc");
      if (path === "pvc") await assert.rejects(again, { code: "failed-precondition" });
      else await again;
      assert.ok(existsSync(fixture.at(path)));
    });

    test(`retain of ${path} may be asked for while another does it`, async () => {
      using fixture = new VolumeFixture();
      await create(fixture, request());
      let isDone = false;
      const share = new Proxy(fixture.share, {
        get(target, key) {
          const member: unknown = Reflect.get(target, key, target);
          if (typeof member !== "function") return member;
          if (key !== "readFile") return member.bind(target);
          return async (...args: unknown[]) => {
            const content: unknown = await member.apply(target, args);
            if (!isDone) await remove(fixture, "pvc");
            isDone = true;
            return content;
          };
        },
      });
      await fixture.through(share).delete(newCall(), idOf("pvc"));
      assert.ok(existsSync(fixture.at(path)));
      const rest = fixture
        .left()
        .filter((name) => !/^(team|pvc|\.berth\/kept\/.*|\.berth\/paths\/team)$/.test(name));
      await fixture.reap();
      assert.deepEqual(
        rest.filter((name) => !name.startsWith(".berth/trash")),
        [],
      );
    });
  }

  test("archive renames it, and may be asked for again and again", async () => {
    using fixture = new VolumeFixture();
    for (let round = 0; round < 2; round += 1) {
      await create(fixture, at("pvc", "team/app", { onDelete: "archive" }));
      writeFileSync(fixture.at("team/app/data"), `${round}`);
      await remove(fixture, "pvc");
      await remove(fixture, "pvc");
    }
    const archived = readdirSync(fixture.at("team"));
    assert.equal(archived.length, 2);
    for (const name of archived) assert.match(name, /^archived-app-[a-z2-7]{8}$/);
    const contents = archived.map((name) => readFileSync(fixture.at("team", name, "data"), "utf8"));
    assert.deepEqual(contents.sort(), ["0", "1"]);
  });

  for (const onDelete of ["retain", "archive"] as const) {
    for (const [name, injury] of Object.entries(injuries)) {
      test(`${onDelete} that is hurt by ${name} is finished by the next, and the data are there once`, async () => {
        await atEveryStep(async (step) => {
          using fixture = new VolumeFixture();
          await create(fixture, at("pvc", "team/app", { onDelete }));
          writeFileSync(fixture.at("team/app/data"), "data");
          const reached = await hurt(fixture, injury, step, (volumes) =>
            volumes.delete(newCall(), idOf("pvc")),
          );
          await remove(fixture, "pvc");
          await fixture.reap();
          await fixture.reap();
          const [directory = "", ...more] = readdirSync(fixture.at("team"));
          assert.deepEqual(more, [], `step ${step}`);
          assert.equal(directory.startsWith("archived-"), onDelete === "archive");
          assert.equal(readFileSync(fixture.at("team", directory, "data"), "utf8"), "data", `step ${step}`);
          const rest = fixture
            .left()
            .filter((path) => !/^(team|\.berth\/(kept\/[a-z2-7]{26}|paths\/team))$/.test(path));
          assert.deepEqual(rest, [], `step ${step}`);
          return reached;
        });
      });
    }
  }
});

test("a directory that was retained while its path was claimed is not replaced, empty as it is", async () => {
  using fixture = new VolumeFixture();
  let links = 0;
  const decide = async (_: number, operation: string): Promise<Fate> => {
    if (operation === "link") links += 1;
    if (operation === "link" && links === 2) await create(fixture, at("pvc", "app", { onDelete: "retain" }));
    if (operation === "link" && links === 3) await fixture.volumes.delete(newCall(), idOf("pvc"));
    return "done";
  };
  const late = fixture.through(hookedShare(fixture.share, decide, () => new Error("not done")));
  await assert.rejects(late.create(newCall(), at("late", "app")), { code: "already-exists" });
  assert.ok(links >= 3);
  assert.ok(existsSync(fixture.at("app")));
  assert.ok(!fixture.left().includes(".berth/volumes/late"));
});
