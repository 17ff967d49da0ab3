/** Servers with ideas of their own about names, and files of Berth's that somebody has cut, forged or planted. */
import assert from "node:assert/strict";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { describe, test } from "node:test";
import { BerthError } from "../../src/core/errors.ts";
import { parseVolumeName } from "../../src/core/volume-id.ts";
import type { AnySteps, Share } from "../../src/share/share.ts";
import { parseSharePath } from "../../src/share/share-path.ts";
import { inTurn } from "../../src/share/steps.ts";
import { parseDirectoryPath } from "../../src/volumes/directory-path.ts";
import type { VolumeRequest } from "../../src/volumes/volume.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const at = (name: string, path: string, more: Partial<VolumeRequest> = {}): VolumeRequest =>
  requestFor(name, { path: parseDirectoryPath(path), ...more });

/** A server that sees no difference between some spellings of a name. */
function blurredShare(share: Share, sameAs: (path: string) => string): Share {
  const blurred: Share = new Proxy(share, {
    get(target, key) {
      if (key === "inOrder") return (steps: AnySteps) => inTurn(blurred, steps);
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== "function") return member;
      return (...args: unknown[]): unknown =>
        member.apply(
          target,
          args.map((each) => (typeof each === "string" ? parseSharePath(sameAs(each)) : each)),
        );
    },
  });
  return blurred;
}

describe("on a server that blurs names", () => {
  const blurs: Readonly<Record<string, [(path: string) => string, string, string]>> = {
    "upper and lower case": [(path) => path.toLowerCase(), "Team/App", "team/app"],
    "spellings of accents": [(path) => path.normalize("NFD"), "t\u00e9am/app", "te\u0301am/app"],
  };
  for (const [what, [sameAs, ours, theirs]] of Object.entries(blurs)) {
    for (const [how, adopt] of [
      ["made", undefined],
      ["adopted", {}],
    ] as const) {
      test(`${what}: a directory is not ${how} for a second volume, and the first keeps it`, async () => {
        using fixture = new VolumeFixture();
        const volumes = fixture.through(blurredShare(fixture.share, sameAs));
        await volumes.create(newCall(), at("ours", ours));
        for (const path of [theirs, `${theirs}/below`, theirs.slice(0, theirs.lastIndexOf("/"))]) {
          const request = at("theirs", path, adopt === undefined ? {} : { adopt });
          await assert.rejects(volumes.create(newCall(), request), { code: "already-exists" });
        }
        assert.equal((await volumes.get(newCall(), idOf("ours"))).state, "ready");
        assert.deepEqual(readdirSync(fixture.at(".berth/volumes")), ["ours"]);
        assert.ok(statSync(fixture.at(".berth/paths", sameAs(ours))).isFile());
        await volumes.delete(newCall(), idOf("ours"));
        await fixture.reap();
        assert.deepEqual(fixture.left(), []);
      });
    }
  }
});

test("what some servers take for Berth's own folder is no volume's directory", () => {
  for (const path of [
    ".BERTH",
    "a/.Berth/b",
    ".berth.",
    ".berth ",
    ".ber\u200cth",
    ".\uff42erth",
    ".be\u00adrth/volumes",
  ]) {
    assert.throws(() => parseDirectoryPath(path), { code: "invalid-argument" }, JSON.stringify(path));
  }
  for (const path of [".berths", "berth", "a.berth", "..berth"]) assert.equal(parseDirectoryPath(path), path);
});

describe("a creation that meets something of Berth's that cannot be read leaves nothing behind, or comes again", () => {
  const spoilt: Readonly<Record<string, (fixture: VolumeFixture) => void>> = {
    "another's claim": (fixture) => truncateSync(fixture.at(".berth/paths/team/app"), 100),
    "another's record": (fixture) => {
      const path = fixture.at(".berth/volumes/other/identity.json");
      writeFileSync(`${path}.new`, readFileSync(path).subarray(0, 100));
      renameSync(`${path}.new`, path);
    },
    "the mark of a parent": (fixture) => {
      mkdirSync(fixture.at(".berth/paths/mine"), { recursive: true });
      writeFileSync(fixture.at(".berth/paths/mine/.berth"), "{");
    },
  };
  for (const [what, spoil] of Object.entries(spoilt)) {
    test(what, async () => {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), at("other", "team/app"));
      spoil(fixture);
      const path = what === "the mark of a parent" ? "mine/app" : "team/app/below";
      const call = newCall();
      const reason = await fixture.volumes.create(call, at("pvc", path)).then(
        () => assert.fail("it was created"),
        (error: unknown) => error,
      );
      assert.ok(reason instanceof BerthError, `${reason}`);
      assert.match(reason.message, /cannot be read|by hand|backup/);
      const isFinal = reason.code !== "unavailable" && reason.code !== "aborted";
      if (isFinal) {
        assert.deepEqual(readdirSync(fixture.at(".berth/volumes")), ["other"]);
        assert.deepEqual(readdirSync(fixture.at(".berth/staging")), []);
      }
      assert.ok(isFinal, "it can be undone here, so it should be: an administrator has to act anyway");
    });
  }
});

test("a directory that is a share of Berth's itself, or lies in one, is not adopted", async () => {
  using fixture = new VolumeFixture();
  await fixture.volumes.create(newCall(), requestFor("first"));
  mkdirSync(fixture.at("inner/.berth"), { recursive: true });
  mkdirSync(fixture.at("inner/pvc-1"));
  for (const path of ["inner", "inner/pvc-1"]) {
    await assert.rejects(fixture.volumes.create(newCall(), at("pvc", path, { adopt: {} })), {
      code: "failed-precondition",
      message: /\.berth/,
    });
  }
  assert.deepEqual(readdirSync(fixture.at(".berth/volumes")), ["first"]);
});

test("a record copied to another volume's name, and changed to fit, does not lead a deletion to the first", async () => {
  using fixture = new VolumeFixture();
  await fixture.volumes.create(newCall(), requestFor("first"));
  writeFileSync(fixture.at("first/data"), "data");
  mkdirSync(fixture.at(".berth/volumes/forged"));
  const identity = readFileSync(fixture.at(".berth/volumes/first/identity.json"), "utf8");
  writeFileSync(
    fixture.at(".berth/volumes/forged/identity.json"),
    identity.replace("directory/bind/first/test", "directory/bind/forged/test"),
  );
  await assert.rejects(fixture.volumes.delete(newCall(), idOf("forged")), { code: "failed-precondition" });
  assert.equal(readFileSync(fixture.at("first/data"), "utf8"), "data");
});

test("a tree in the trash whose record tells of no deletion is not removed while anything is in it", async () => {
  using fixture = new VolumeFixture();
  await fixture.volumes.create(newCall(), requestFor("pvc", { trashRetentionMs: 3_600_000 }));
  writeFileSync(fixture.at("pvc/data"), "data");
  await fixture.volumes.delete(newCall(), idOf("pvc"));
  const [entry = ""] = readdirSync(fixture.at(".berth/trash"));
  const record = fixture.at(".berth/trash", entry, "record");
  for (const name of readdirSync(record)) if (name.startsWith("deleted.")) rmSync(`${record}/${name}`);
  await fixture.reap();
  assert.equal(readFileSync(fixture.at(".berth/trash", entry, "tree/data"), "utf8"), "data");
  await assert.rejects(fixture.volumes.restore(newCall(), parseVolumeName("pvc")), { code: "not-found" });
});

test("a share that lost its records, as where its disk is not mounted, does not say that a volume is deleted", async () => {
  using fixture = new VolumeFixture();
  await assert.rejects(fixture.volumes.delete(newCall(), idOf("pvc")), {
    code: "failed-precondition",
    message: /whether its disk is mounted/,
  });
  await fixture.volumes.create(newCall(), at("pvc", "team/app"));
  mkdirSync(fixture.at("disk"));
  for (const name of ["team", ".berth"]) renameSync(fixture.at(name), fixture.at("disk", name));
  await fixture.share.close();
  await assert.rejects(fixture.volumes.delete(newCall(), idOf("pvc")), { code: "failed-precondition" });
  for (const name of ["team", ".berth"]) renameSync(fixture.at("disk", name), fixture.at(name));
  await fixture.share.close();
  await fixture.volumes.delete(newCall(), idOf("pvc"));
  await fixture.volumes.delete(newCall(), idOf("pvc"));
});

test("a volume whose claim somebody has removed is not deleted until it is there again", async () => {
  using fixture = new VolumeFixture();
  await fixture.volumes.create(newCall(), at("pvc", "team/app"));
  rmSync(fixture.at(".berth/paths/team/app"));
  for (const _ of [1, 2]) {
    await assert.rejects(fixture.volumes.delete(newCall(), idOf("pvc")), {
      code: "failed-precondition",
      message: /make the claim again as a link to .berth\/volumes\/pvc\/identity.json/,
    });
  }
  assert.equal((await fixture.volumes.get(newCall(), idOf("pvc"))).state, "ready");
  linkSync(fixture.at(".berth/volumes/pvc/identity.json"), fixture.at(".berth/paths/team/app"));
  await fixture.volumes.delete(newCall(), idOf("pvc"));
  assert.ok(!existsSync(fixture.at("team/app")));
});
