/** A server whose cache has not noticed what was done on its own disk. */
import assert from "node:assert/strict";
import { rmdirSync } from "node:fs";
import { test } from "node:test";
import { BerthError } from "../../src/core/errors.ts";
import { parseSharePath, type SharePath } from "../../src/share/share-path.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

test("a directory that was removed on the server's own disk is deleted once the server has noticed, and nobody else is blamed", async () => {
  using fixture = new VolumeFixture();
  await fixture.volumes.create(newCall(), requestFor("pvc"));
  const { share } = fixture;
  const known = await share.stat(parseSharePath("pvc"));
  rmdirSync(fixture.at("pvc"));
  const behind = new Proxy(share, {
    get(target, key) {
      if (key === "stat") {
        return async (path: SharePath) => (path === "pvc" ? known : await target.stat(path));
      }
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  await assert.rejects(fixture.through(behind).delete(newCall(), idOf("pvc")), (error) => {
    assert.ok(error instanceof BerthError);
    assert.equal(error.code, "unavailable");
    assert.match(error.message, /finds pvc when it is looked for, and not when it is renamed: .* own disk/);
    return true;
  });
  await fixture.volumes.delete(newCall(), idOf("pvc"));
  await fixture.reap();
  assert.deepEqual(fixture.left(), []);
});
