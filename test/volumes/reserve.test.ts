/** A share that is full to the last block: volumes can be deleted from it, by the space that was set aside for that. */
import assert from "node:assert/strict";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { BerthError } from "../../src/core/errors.ts";
import { hookedShare } from "../support/hooked-share.ts";
import { inMountNamespace } from "../support/mount-namespace.ts";
import { run } from "../support/node-fixture.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const mebibyte = 2 ** 20;

/** What lies in the reserve, by name. */
function reserve(fixture: VolumeFixture): string[] {
  return readdirSync(fixture.at(".berth/reserve")).sort();
}

/** With files of each of these sizes, as long as there is room for one. */
function fillUp(fixture: VolumeFixture, name: string, sizes: readonly number[]): void {
  for (const bytes of sizes) {
    try {
      for (let index = 0; ; index += 1)
        writeFileSync(fixture.at(name, `${bytes}-${index}`), Buffer.alloc(bytes));
    } catch {
      // ENOSPC: no file of this size finds room any more
    }
  }
}

if (inMountNamespace()) {
  for (const [what, options, sizes] of [
    ["space", "size=140m", [mebibyte, 4096]],
    ["inodes", "size=280m,nr_inodes=120", [0]],
  ] as const) {
    test(`a share without ${what} left gives up volumes, and has its reserve again afterwards`, async () => {
      using fixture = new VolumeFixture();
      run("mount", "-t", "tmpfs", "-o", options, "small", fixture.path);
      try {
        const { volumes } = fixture;
        for (const name of ["a", "b"]) await volumes.create(newCall(), requestFor(name));
        await fixture.reap();
        const whole = reserve(fixture);
        fillUp(fixture, "a", sizes);
        await assert.rejects(volumes.create(newCall(), requestFor("c")), { code: "resource-exhausted" });
        await fixture.reap();
        assert.deepEqual(
          reserve(fixture),
          whole,
          "nothing else takes it, and what is not there cannot be filled",
        );
        await volumes.delete(newCall(), idOf("a"));
        assert.ok(reserve(fixture).length < whole.length);
        assert.equal((await fixture.reap()).purged, 1);
        assert.deepEqual(reserve(fixture), whole);
        assert.equal((await volumes.create(newCall(), requestFor("c"))).state, "ready");
      } finally {
        run("umount", "-l", fixture.path);
      }
    });
  }

  describe("the reserve", () => {
    test("is 16 files of 64 KiB, made once there are volumes", async () => {
      using fixture = new VolumeFixture();
      await fixture.reap();
      assert.deepEqual(readdirSync(fixture.path), []);
      await fixture.volumes.create(newCall(), requestFor("a"));
      await Promise.all([fixture.reap(), fixture.reap()]);
      const files = reserve(fixture);
      assert.equal(files.length, 16);
      for (const name of files) assert.equal(statSync(fixture.at(".berth/reserve", name)).size, 65_536);
    });

    test("that does not help is not used up by one deletion, and what failed is told", async () => {
      using fixture = new VolumeFixture();
      await fixture.volumes.create(newCall(), requestFor("a"));
      await fixture.reap();
      const refusal = new BerthError("storage-no-space", "no space left");
      const share = hookedShare(
        fixture.share,
        (_, operation) => (operation === "createFile" ? "not done" : "done"),
        () => refusal,
      );
      await assert.rejects(fixture.through(share).delete(newCall(), idOf("a")), refusal);
      assert.equal(reserve(fixture).length, 12);
      await fixture.volumes.delete(newCall(), idOf("a"));
      assert.equal(reserve(fixture).length, 12);
    });
  });
}
