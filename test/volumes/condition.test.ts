/** What ControllerGetVolume says is wrong with a volume. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { BerthError } from "../../src/core/errors.ts";
import { silentLog } from "../../src/core/log.ts";
import { usagePaceDefaults } from "../../src/volumes/usage/usage-plan.ts";
import { UsageScanner } from "../../src/volumes/usage/usage-scanner.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const inspect = (fixture: VolumeFixture) => fixture.volumes.inspect(newCall(), idOf("a"));
const identity = ".berth/volumes/a/identity.json";

async function withVolume(): Promise<VolumeFixture> {
  const fixture = new VolumeFixture();
  await fixture.volumes.create(newCall(), requestFor("a"));
  return fixture;
}

test("a volume in its place is normal, with what it was measured to take", async () => {
  using fixture = await withVolume();
  const { volume, condition } = await inspect(fixture);
  assert.equal(volume?.sizeBytes, 1000n);
  assert.equal(condition.abnormal, false);
  assert.match(condition.message, /not measured yet/);
});

for (const { title, harm, message } of [
  {
    title: "whose directory is gone",
    harm: (fixture: VolumeFixture) => rmSync(fixture.at("a"), { recursive: true }),
    message: /directory a is gone/,
  },
  {
    title: "whose directory was replaced",
    harm: (fixture: VolumeFixture) => {
      renameSync(fixture.at("a"), fixture.at("old"));
      mkdirSync(fixture.at("a"));
    },
    message: /a was replaced/,
  },
  {
    title: "in whose place there is a file",
    harm: (fixture: VolumeFixture) => {
      rmSync(fixture.at("a"), { recursive: true });
      writeFileSync(fixture.at("a"), "");
    },
    message: /is not a directory/,
  },
  {
    title: "whose record cannot be read",
    harm: (fixture: VolumeFixture) => writeFileSync(fixture.at(identity), "{"),
    message: /cannot be read/,
  },
  {
    title: "whose record is gone",
    harm: (fixture: VolumeFixture) => rmSync(fixture.at(identity)),
    message: /its record is not/,
  },
]) {
  test(`a volume ${title} is abnormal`, async () => {
    using fixture = await withVolume();
    harm(fixture);
    const { condition } = await inspect(fixture);
    assert.equal(condition.abnormal, true);
    assert.match(condition.message, message);
  });
}

test("a volume larger than its size is abnormal", async () => {
  using fixture = await withVolume();
  writeFileSync(fixture.at("a", "file"), Buffer.alloc(100_000, "x"));
  await new UsageScanner(fixture.context, usagePaceDefaults, silentLog).round(new AbortController().signal);
  const { condition } = await inspect(fixture);
  assert.equal(condition.abnormal, true);
  assert.match(condition.message, /larger than its size.*of 1000 bytes used in 2 files/);
});

test("a volume on a share that does not answer is abnormal, and not gone", async () => {
  using fixture = await withVolume();
  const share = new Proxy(fixture.share, {
    get(target, key) {
      if (key === "name") return "share down";
      return () => {
        throw new BerthError("storage-unavailable", `${target.name}: no answer`);
      };
    },
  });
  const { condition } = await fixture.through(share).inspect(newCall(), idOf("a"));
  assert.equal(condition.abnormal, true);
  assert.match(condition.message, /cannot be asked.*no answer/);
});

test("a volume that never was, or is deleted, is not found", async () => {
  using fixture = await withVolume();
  await fixture.volumes.delete(newCall(), idOf("a"));
  await assert.rejects(inspect(fixture), { code: "not-found" });
});

test("a list tells a volume that lost its directory from one that is still being created", async () => {
  using fixture = await withVolume();
  for (const name of ["b", "c"]) await fixture.volumes.create(newCall(), requestFor(name));
  rmSync(fixture.at("a"), { recursive: true });
  const { nonce } = JSON.parse(readFileSync(fixture.at(".berth/volumes/b/identity.json"), "utf8"));
  renameSync(fixture.at("b"), fixture.at(`.berth/staging/b.${nonce}`));
  const { volumes } = await fixture.volumes.list(newCall(), undefined, 100);
  assert.deepEqual(
    volumes.map(({ id, state }) => `${id.name} ${state}`),
    ["a lost", "b creating", "c ready"],
  );
});
