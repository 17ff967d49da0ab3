import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "../core/clock.ts";
import { hasCode } from "../core/errors.ts";
import { randomNonce } from "../core/nonce.ts";
import { printVolumeId, volumeNameOf } from "../core/volume-id.ts";
import { DirectoryShare } from "../share/directory-share.ts";
import { ShareVolumes } from "../volumes/share-volumes.ts";
import { type ConfiguredDirectory, DirectoryPlacement } from "./directory.ts";

/** Its directory does not exist: whatever touched it would fail otherwise than these tests expect. */
function configured(name: string, trashRetentionMs = 0): ConfiguredDirectory {
  const share = new DirectoryShare({ name, path: `/nonexistent/${name}` });
  const owner = { cluster: "c", driver: "d" };
  return {
    name,
    trashRetentionMs,
    volumes: new ShareVolumes({ share, owner, clock: systemClock, newNonce: randomNonce }),
  };
}

const fast = configured("fast");
const slow = configured("slow", 5000);
const one = new DirectoryPlacement([fast]);
const two = new DirectoryPlacement([fast, slow]);

function refused(parameters: Record<string, string>, message: RegExp, placement = one, name = "pvc-1"): void {
  assert.throws(
    () => placement.place(parameters, name),
    (reason) => hasCode(reason, "invalid-argument") && message.test(reason.message),
  );
}

describe("a class of type directory", () => {
  test("needs no parameter where there is one share", () => {
    const placed = one.place({ type: "directory" }, "pvc-1");
    assert.equal(printVolumeId(placed.id), "directory/bind/pvc-1/fast");
    assert.equal(placed.volumes, fast.volumes);
    assert.deepEqual(placed.directory, { mode: 0o777 });
    assert.equal(placed.trashRetentionMs, 0);
  });

  test("names its share where there are several", () => {
    const placed = two.place({ share: "slow" }, "pvc-1");
    assert.equal(placed.volumes, slow.volumes);
    assert.equal(placed.id.source, "slow");
    refused({}, /share is missing: name one of fast, slow/, two);
    refused({ share: "fats" }, /share "fats" is not in the configuration: name one of fast, slow/, two);
    refused({ share: "" }, /share/, two);
    refused({ share: "constructor" }, /share/, two);
  });

  test("of a configuration without directories is refused", () => {
    refused({}, /names none/, new DirectoryPlacement([]));
  });

  test("decides mode, owner and retention", () => {
    const placed = two.place(
      { share: "slow", mode: "2770", uid: "1000", gid: "4294967294", trashRetention: "24h" },
      "pvc-1",
    );
    assert.deepEqual(placed.directory, { mode: 0o2770, uid: 1000, gid: 4_294_967_294 });
    assert.equal(placed.trashRetentionMs, 86_400_000);
  });

  test("takes the share's retention unless it has its own, even of 0", () => {
    assert.equal(two.place({ share: "slow" }, "pvc-1").trashRetentionMs, 5000);
    assert.equal(two.place({ share: "slow", trashRetention: "0" }, "pvc-1").trashRetentionMs, 0);
  });

  for (const key of ["Mode", "modes", "server", "subDir", "__proto__x", "toString"]) {
    test(`refuses the unknown parameter ${key} by name`, () =>
      refused({ [key]: "x" }, new RegExp(`parameter ${key} is unknown`)));
  }

  for (const [text, mode] of [
    ["0770", 0o770],
    ["770", 0o770],
    ["01777", 0o1777],
    ["0000", 0],
  ] as const) {
    test(`takes mode ${text}`, () => assert.equal(one.place({ mode: text }, "pvc-1").directory.mode, mode));
  }

  for (const mode of ["", "7", "77", "0o770", "0888", "17777", "-770", "rwx", "0770 ", "0770\n"]) {
    test(`refuses mode ${JSON.stringify(mode)} by name`, () => refused({ mode }, /parameter mode/));
  }

  for (const key of ["uid", "gid"]) {
    for (const value of ["", "-1", "root", "1.5", "0x10", "4294967295", "01", " 1", "1e3"]) {
      test(`refuses ${key} ${JSON.stringify(value)} by name`, () =>
        refused({ [key]: value }, new RegExp(`parameter ${key}`)));
    }
  }

  for (const trashRetention of ["", "1", "forever", "-1h", "999999999d"]) {
    test(`refuses trashRetention ${JSON.stringify(trashRetention)} by name`, () =>
      refused({ trashRetention }, /parameter trashRetention/));
  }

  for (const overcommit of ["", "0", "two", "-1", "1.2345"]) {
    test(`refuses overcommit ${JSON.stringify(overcommit)} by name`, () =>
      refused({ overcommit }, /parameter overcommit/));
  }

  test("refuses a volume whose id would be too long, before anything is made", () => {
    const long = new DirectoryPlacement([configured("s".repeat(60))]);
    refused({}, /longer than 128 bytes/, long, "n".repeat(64));
  });

  for (const name of ["../x", "a/b", "a\0", "..", ""]) {
    test(`refuses the volume name ${JSON.stringify(name)}`, () => refused({}, /volume name/, one, name));
  }

  test("gives a name of emoji an id of its own", () => {
    const { id } = one.place({}, "🚢".repeat(32));
    assert.match(printVolumeId(id), /^directory\/bind\/~[a-z2-7]{26}\/fast$/);
  });
});

describe("an existing volume", () => {
  const id = (source: string) =>
    ({ type: "directory", protocol: "bind", name: volumeNameOf("pvc-1"), source }) as const;

  test("is found on the share that its id names", () => {
    assert.equal(two.find(id("slow")), slow.volumes);
  });

  test("on a share that the configuration does not name is a failed precondition with the remedy", () => {
    assert.throws(
      () => two.find(id("gone")),
      (reason) =>
        hasCode(reason, "failed-precondition") && /share gone.*fast, slow.*directories/.test(reason.message),
    );
  });

  test("may be on any share of the configuration, in its order", () => {
    assert.deepEqual(two.all, [fast.volumes, slow.volumes]);
  });
});
