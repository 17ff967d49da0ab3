import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, newCall, requestFor, VolumeFixture } from "../../test/support/volume-fixture.ts";
import { NameList } from "./name-list.ts";

test("the first page reads the names, and the next ones within a minute do not", async () => {
  using fixture = new VolumeFixture();
  for (const name of ["a", "b"]) await fixture.volumes.create(newCall(), requestFor(name));
  let nowMs = 0;
  const list = new NameList({ nowMs: () => nowMs, sleep: async () => {} });
  assert.deepEqual(await list.from(fixture.share, undefined), ["a", "b"]);
  await fixture.volumes.create(newCall(), requestFor("c"));
  assert.deepEqual(await list.from(fixture.share, "a"), ["b"]);
  nowMs += 60_000;
  assert.deepEqual(await list.from(fixture.share, "a"), ["b", "c"]);
  assert.deepEqual(await list.from(fixture.share, "c"), []);
});

test("a volume that went between two pages is in neither, and the others are", async () => {
  using fixture = new VolumeFixture();
  for (const name of ["a", "b", "c"]) await fixture.volumes.create(newCall(), requestFor(name));
  const first = await fixture.volumes.list(newCall(), undefined, 1);
  await fixture.volumes.delete(newCall(), idOf("b"));
  const second = await fixture.volumes.list(newCall(), first.nextAfter, 5);
  const names = [...first.volumes, ...second.volumes].map(({ id }) => id.name);
  assert.deepEqual(names, ["a", "c"]);
});
