/** A record that is forged, broken, another's or gone directs nothing: each operation says so, and nothing is lost. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { BerthError, hasCode } from "../../src/core/errors.ts";
import { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import { onDeleteChoices } from "../../src/volumes/volume.ts";
import { RecordedLog } from "../support/edge-harness.ts";
import { idOf, newCall, owner, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const recordFile = ".berth/volumes/a/identity.json";

/** Changes the identity of the volume `a`. */
function forge(fixture: VolumeFixture, change: Record<string, unknown>): void {
  const identity: Record<string, unknown> = JSON.parse(readFileSync(fixture.at(recordFile), "utf8"));
  writeFileSync(fixture.at(recordFile), JSON.stringify({ ...identity, ...change }));
}

/** Every file below the share and what it holds; a glob would leave out `.berth`. */
function everything(fixture: VolumeFixture): string[] {
  return readdirSync(fixture.path, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const at = join(entry.parentPath, entry.name);
      return `${at} ${entry.isFile() ? readFileSync(at, "utf8") : ""}`;
    })
    .sort();
}

/** With the volumes `a` and `victim`, both with data. */
async function twoVolumes(): Promise<VolumeFixture> {
  const fixture = new VolumeFixture();
  for (const name of ["a", "victim"]) {
    await fixture.volumes.create(newCall(), requestFor(name));
    writeFileSync(fixture.at(name, "data"), name);
  }
  return fixture;
}

const larger = { requiredBytes: 5000n, limitBytes: 0n };
const operations = {
  delete: (volumes: ShareVolumes) => volumes.delete(newCall(), idOf("a")),
  expand: (volumes: ShareVolumes) => volumes.expand(newCall(), idOf("a"), larger),
  get: (volumes: ShareVolumes) => volumes.get(newCall(), idOf("a")),
};

describe("a record", () => {
  for (const { title, spoil, message } of [
    {
      title: "that names another volume",
      spoil: (fixture: VolumeFixture) => forge(fixture, { id: "directory/bind/victim/test" }),
      message:
        /^share test .*: the record of a says that it is volume directory\/bind\/victim\/test .*: somebody changed it; restore it from a backup$/,
    },
    {
      title: "that climbs out of the share",
      spoil: (fixture: VolumeFixture) =>
        forge(fixture, { directory: directoryOf(fixture, { path: "../../etc" }) }),
      message:
        /identity\.json cannot be read \(directory\.path is missing or malformed\): restore it from a backup/,
    },
    {
      title: "of another cluster",
      spoil: (fixture: VolumeFixture) => forge(fixture, { cluster: "other" }),
      message:
        /volume a belongs to cluster other, driver csi\.berth\.dev, not to cluster test.*: let that one work on it/,
    },
    {
      title: "of another driver",
      spoil: (fixture: VolumeFixture) => forge(fixture, { driver: "csi.other.dev" }),
      message: /volume a belongs to cluster test, driver csi\.other\.dev, not to .*: let that one work on it/,
    },
    {
      title: "that is cut in half",
      spoil: (fixture: VolumeFixture) => {
        const whole = readFileSync(fixture.at(recordFile));
        writeFileSync(fixture.at(recordFile), whole.subarray(0, whole.length / 2));
      },
      message: /record \.berth\/volumes\/a\/identity\.json cannot be read \(.*\): restore it from a backup/,
    },
    {
      title: "that is a directory",
      spoil: (fixture: VolumeFixture) => {
        rmSync(fixture.at(recordFile));
        mkdirSync(fixture.at(recordFile));
      },
      message: /record \.berth\/volumes\/a\/identity\.json is not one of Berth's: /,
    },
    {
      title: "that is larger than any of Berth's",
      spoil: (fixture: VolumeFixture) => writeFileSync(fixture.at(recordFile), Buffer.alloc(65 * 1024, " ")),
      message: /record \.berth\/volumes\/a\/identity\.json is not one of Berth's: /,
    },
  ]) {
    for (const [operation, run] of Object.entries(operations)) {
      test(`${title} fails ${operation} with the reason and the remedy, and nothing changes`, async () => {
        using fixture = await twoVolumes();
        spoil(fixture);
        const before = everything(fixture);
        await assert.rejects(run(fixture.volumes), { code: "failed-precondition", message });
        assert.deepEqual(everything(fixture), before);
      });
    }

    test(`${title} is left out of the list, and hides no other`, async () => {
      using fixture = await twoVolumes();
      spoil(fixture);
      const log = new RecordedLog();
      const { volumes } = await fixture.volumes.list({ ...newCall(), log }, undefined, 10);
      assert.deepEqual(
        volumes.map(({ id }) => id.name),
        ["victim"],
      );
    });

    test(`${title} makes no second volume of its name, and nothing changes`, async () => {
      using fixture = await twoVolumes();
      spoil(fixture);
      const before = everything(fixture);
      const outcome = await fixture.volumes.create(newCall(), requestFor("a")).catch(BerthError.from);
      const codes = ["already-exists", "unavailable"];
      assert.ok(outcome instanceof BerthError && codes.includes(outcome.code));
      assert.deepEqual(everything(fixture), before);
    });
  }

  test("that names another volume's directory does not lead a deletion to that", async () => {
    using fixture = await twoVolumes();
    forge(fixture, { directory: directoryOf(fixture, { path: "victim" }) });
    const before = everything(fixture);
    await assert.rejects(operations.delete(fixture.volumes), {
      code: "failed-precondition",
      message:
        /victim is the directory of volume directory\/bind\/victim\/test, whatever the record of a says, so it is not deleted: somebody changed that record; restore it/,
    });
    assert.deepEqual(everything(fixture), before);
  });

  test("that is gone keeps its directory: delete says how to go on", async () => {
    using fixture = await twoVolumes();
    rmSync(fixture.at(".berth/volumes/a"), { recursive: true });
    const before = everything(fixture);
    await assert.rejects(operations.delete(fixture.volumes), {
      code: "failed-precondition",
      message:
        /directory a has no record in \.berth\/volumes\/a, so Berth does not delete it: restore the record, or move/,
    });
    await assert.rejects(operations.get(fixture.volumes), { code: "not-found" });
    await assert.rejects(operations.expand(fixture.volumes), { code: "not-found" });
    await assert.rejects(fixture.volumes.create(newCall(), requestFor("a")), {
      code: "already-exists",
      message: /a exists and is no volume of Berth: move it away, ask for another name/,
    });
    assert.deepEqual(everything(fixture), before);
  });

  test("whose directory was replaced by another does not lead a deletion to that", async () => {
    using fixture = await twoVolumes();
    renameSync(fixture.at("a"), fixture.at("moved"));
    mkdirSync(fixture.at("a"));
    writeFileSync(fixture.at("a/mine"), "");
    const before = everything(fixture);
    await assert.rejects(operations.delete(fixture.volumes), {
      code: "failed-precondition",
      message:
        /a \(fileid \d+\) is not the directory that Berth made for this volume \(fileid \d+\), so it is not deleted: move it away/,
    });
    assert.deepEqual(everything(fixture), before);
  });

  test("whose directory is in no place makes no empty volume: the call may come again", async () => {
    using fixture = await twoVolumes();
    renameSync(fixture.at("a"), fixture.at("moved"));
    const before = everything(fixture);
    await assert.rejects(fixture.volumes.create(newCall(), requestFor("a")), { code: "unavailable" });
    assert.deepEqual(everything(fixture), before);
  });

  test("of one cluster is its own, on a share that two use", async () => {
    using fixture = await twoVolumes();
    const other = new ShareVolumes({ ...fixture.context, owner: { ...owner, cluster: "other" } });
    assert.deepEqual((await other.list(newCall(), undefined, 10)).volumes, []);
    await assert.rejects(operations.delete(other), {
      code: "failed-precondition",
      message: /let that one work/,
    });
    await assert.rejects(other.create(newCall(), requestFor("a")), {
      code: "already-exists",
      message: /volume a exists with owner test\/csi\.berth\.dev, but other\/csi\.berth\.dev is asked for/,
    });
    await other.create(newCall(), requestFor("theirs"));
    assert.equal((await fixture.volumes.list(newCall(), undefined, 10)).volumes.length, 2);
  });
});

for (const [what, spoil] of Object.entries({
  empty: (path: string) => writeFileSync(path, ""),
  "cut in half": (path: string) => writeFileSync(path, '{ "schema": 1, "non'),
  "a directory": (path: string) => mkdirSync(path),
  "of a later version": (path: string) => writeFileSync(path, '{ "schema": 2 }'),
})) {
  test(`a deletion of which what says so is ${what} is neither finished nor begun anew, and nothing changes`, async () => {
    using fixture = await twoVolumes();
    const { nonce }: { nonce: string } = JSON.parse(readFileSync(fixture.at(recordFile), "utf8"));
    spoil(fixture.at(`.berth/volumes/a/deleted.${nonce}.json`));
    const before = everything(fixture);
    await assert.rejects(operations.delete(fixture.volumes), {
      code: "failed-precondition",
      message: /record \.berth\/volumes\/a\/deleted\.[a-z2-7]+\.json (cannot be read|is not one of Berth's)/,
    });
    await assert.rejects(fixture.volumes.create(newCall(), requestFor("a")), { code: "unavailable" });
    assert.deepEqual(everything(fixture), before);
  });
}

for (const part of ["staging", "trash", "kept"]) {
  for (const onDelete of onDeleteChoices) {
    test(`no volume is called deleted that is not, where somebody has removed .berth/${part} (${onDelete})`, async () => {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), requestFor("a", { onDelete, trashRetentionMs: 3_600_000 }));
      writeFileSync(fixture.at("a/data"), "a");
      rmSync(fixture.at(".berth", part), { recursive: true });
      const isDone = await operations.delete(fixture.volumes).then(
        () => true,
        (reason: unknown) => !hasCode(reason, "storage-no-entry"),
      );
      await fixture.share.close(); // which forgets the directory that it has open
      if (!isDone) await operations.delete(fixture.volumes);
      await assert.rejects(operations.get(fixture.volumes), { code: "not-found" });
      assert.equal(existsSync(fixture.at("a/data")), onDelete === "retain");
    });
  }
}

function directoryOf(fixture: VolumeFixture, change: Record<string, unknown>): unknown {
  const { directory }: { directory: object } = JSON.parse(readFileSync(fixture.at(recordFile), "utf8"));
  return { ...directory, ...change };
}
