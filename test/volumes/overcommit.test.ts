/** What is promised on a share stays below its limit, and comes back. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { hasCode } from "../../src/core/errors.ts";
import { randomNonce } from "../../src/core/nonce.ts";
import type { Share } from "../../src/share/share.ts";
import { parseSharePath } from "../../src/share/share-path.ts";
import { checkpointEvery } from "../../src/volumes/ledger/ledger-files.ts";
import { atEveryStep, hurt, injuries } from "../support/interleaving.ts";
import { sharer } from "../support/sharer.ts";
import { idOf, newCall, requestFor, VolumeFixture } from "../support/volume-fixture.ts";

const sized = (name: string, bytes: bigint, parameters = {}) =>
  requestFor(name, {
    capacity: { requiredBytes: bytes, limitBytes: 0n },
    parameters: { type: "directory", ...parameters },
  });

test("creation is refused beyond the limit with every figure, and leaves nothing behind", async () => {
  using fixture = new VolumeFixture();
  const { volumes, ledger } = sharer(fixture.share);
  await volumes.create(newCall(), sized("a", 1500n));
  const before = fixture.left().sort();
  await assert.rejects(volumes.create(newCall(), sized("b", 501n)), (reason: unknown) => {
    assert.ok(hasCode(reason, "resource-exhausted"), String(reason));
    for (const figure of [
      "501 bytes for volume b",
      "1500 bytes (1.5 KiB) are promised",
      "of 2000 bytes (2 KiB)",
      "overcommit 2 times",
      "capacity of 1000 bytes",
      "500 bytes are left",
    ])
      assert.ok(reason.message.includes(figure), `${figure}: ${reason.message}`);
    return true;
  });
  assert.deepEqual(fixture.left().sort(), before);
  await volumes.create(newCall(), sized("b", 500n));
  assert.equal(await ledger.promisedBytes(), 2000n);
});

test("a class's own ratio goes before the share's, and what unlimited classes take counts too", async () => {
  using fixture = new VolumeFixture();
  const { volumes, ledger } = sharer(fixture.share);
  await volumes.create(newCall(), sized("before", 700n, { overcommit: "unlimited" }));
  assert.equal(existsSync(fixture.at(".berth/ledger")), false);
  await volumes.create(newCall(), sized("a", 100n));
  await volumes.create(newCall(), sized("much", 5000n, { overcommit: "unlimited" }));
  assert.equal(await ledger.promisedBytes(), 5800n);
  await assert.rejects(volumes.create(newCall(), sized("b", 1n)), { code: "resource-exhausted" });
  await volumes.create(newCall(), sized("b", 1n, { overcommit: "6" }));
});

test("growth goes through the same check, and a refusal changes nothing", async () => {
  using fixture = new VolumeFixture();
  const { volumes, ledger } = sharer(fixture.share);
  await volumes.create(newCall(), sized("a", 500n));
  await volumes.create(newCall(), sized("b", 1000n));
  const grow = (requiredBytes: bigint) =>
    volumes.expand(newCall(), idOf("a"), { requiredBytes, limitBytes: 0n });
  await assert.rejects(grow(1001n), { code: "resource-exhausted" });
  assert.equal((await volumes.get(newCall(), idOf("a"))).sizeBytes, 500n);
  assert.equal((await grow(1000n)).sizeBytes, 1000n);
  assert.equal(await ledger.promisedBytes(), 2000n);
});

test("a deleted volume's promise lasts until the trash has forgotten it", async () => {
  using fixture = new VolumeFixture();
  const { volumes, ledger } = sharer(fixture.share);
  await volumes.create(newCall(), sized("a", 2000n));
  await volumes.delete(newCall(), idOf("a"));
  assert.equal(await ledger.releaseGone(0), 0);
  await assert.rejects(volumes.create(newCall(), sized("b", 1n)), { code: "resource-exhausted" });
  await fixture.reap();
  assert.equal(await ledger.promisedBytes(), 0n);
  await volumes.create(newCall(), sized("b", 2000n));
});

test("a record that somebody removed by hand promises nothing any more", async () => {
  using fixture = new VolumeFixture();
  const { volumes, ledger } = sharer(fixture.share);
  await volumes.create(newCall(), sized("a", 600n));
  await volumes.create(newCall(), sized("b", 600n));
  rmSync(fixture.at(".berth/volumes/a"), { recursive: true });
  await ledger.releaseGone(0);
  assert.equal(await ledger.promisedBytes(), 600n);
});

test("a directory that was to be adopted stays as it was when its volume does not fit", async () => {
  using fixture = new VolumeFixture();
  mkdirSync(fixture.at("theirs"));
  writeFileSync(fixture.at("theirs", "file"), "content");
  const { volumes, ledger } = sharer(fixture.share);
  const adoption = { ...sized("a", 2001n), path: parseSharePath("theirs"), adopt: {} };
  await assert.rejects(volumes.create(newCall(), adoption), { code: "resource-exhausted" });
  assert.equal(readFileSync(fixture.at("theirs", "file"), "utf8"), "content");
  await volumes.create(newCall(), { ...adoption, capacity: { requiredBytes: 2000n, limitBytes: 0n } });
  await ledger.releaseGone(0);
  assert.equal(await ledger.promisedBytes(), 2000n);
});

test("a volume from before the first limit is not refused when its creation is repeated", async () => {
  using fixture = new VolumeFixture();
  mkdirSync(fixture.at("theirs"));
  const { volumes } = sharer(fixture.share, "unlimited");
  const [adoption, plain] = [
    { ...sized("a", 5000n), path: parseSharePath("theirs"), adopt: {} },
    sized("b", 5000n),
  ];
  for (const request of [adoption, plain]) await volumes.create(newCall(), request);
  const limited = sharer(fixture.share);
  await assert.rejects(limited.volumes.create(newCall(), sized("c", 1n)), { code: "resource-exhausted" });
  for (const request of [adoption, plain])
    assert.equal((await limited.volumes.create(newCall(), request)).state, "ready");
  assert.equal(await limited.ledger.promisedBytes(), 10_000n);

  // Its directory was moved away, and may come back: then it is not refused, and its record stays.
  renameSync(fixture.at("b"), fixture.at("elsewhere"));
  await assert.rejects(limited.volumes.create(newCall(), plain), { code: "unavailable" });
  renameSync(fixture.at("elsewhere"), fixture.at("b"));
  assert.equal((await limited.volumes.create(newCall(), plain)).state, "ready");
});

test("what the class retains of a deleted volume is promised to nobody any more", async () => {
  using fixture = new VolumeFixture();
  const { volumes, ledger } = sharer(fixture.share);
  await volumes.create(newCall(), { ...sized("a", 2000n), onDelete: "retain" });
  await volumes.delete(newCall(), idOf("a"));
  await fixture.reap();
  assert.equal(await ledger.promisedBytes(), 0n);
  assert.ok(existsSync(fixture.at("a")));
});

test("what the room of a class is, is what creation allows", async () => {
  using fixture = new VolumeFixture();
  const { volumes } = sharer(fixture.share);
  const left = async () => (await volumes.room(newCall(), { overcommit: "1.5" }))?.leftBytes;
  assert.equal(await left(), 1500n);
  await volumes.create(newCall(), sized("a", 400n, { overcommit: "1.5" }));
  assert.equal(await left(), 1100n);
  await assert.rejects(volumes.create(newCall(), sized("b", 1101n, { overcommit: "1.5" })), {
    code: "resource-exhausted",
  });
  await volumes.create(newCall(), sized("b", 1100n, { overcommit: "1.5" }));
  assert.equal(await volumes.room(newCall(), { overcommit: "unlimited" }), undefined);
});

test("of many who ask two processes at once, exactly those that fit are admitted", async () => {
  using fixture = new VolumeFixture();
  const processes = [sharer(fixture.share), sharer(fixture.share)];
  const results = await Promise.allSettled(
    Array.from({ length: 60 }, (_, index) =>
      processes[index % 2]?.volumes.create(newCall(), sized(`pvc-${index}`, 100n)),
    ),
  );
  const refused = results.filter((result) => result.status === "rejected");
  assert.ok(
    refused.every(({ reason }) => hasCode(reason, "resource-exhausted")),
    String(refused.map(({ reason }) => reason)),
  );
  assert.equal(refused.length, 40);
  for (const { ledger } of processes) assert.equal(await ledger.promisedBytes(), 2000n);
});

test("after a checkpoint the ledger is read from there, and an older process finds its way", async () => {
  using fixture = new VolumeFixture();
  const sleeper = sharer(fixture.share, "1000");
  await sleeper.volumes.create(newCall(), sized("first", 1n));
  const busy = sharer(fixture.share, "1000");
  for (let number = 0; number < checkpointEvery + 10; number += 1) {
    await busy.ledger.promise({
      nonce: randomNonce(),
      name: idOf(`n-${number}`).name,
      bytes: 1n,
      purpose: "create",
      limitBytes: undefined,
    });
  }
  const files = readdirSync(fixture.at(".berth/ledger"));
  assert.ok(files.length < 20, `${files.length} files are left`);
  // Its next number is free again: an entry there does not count, and it must notice.
  await sleeper.volumes.create(newCall(), sized("second", 1n));
  const expected = BigInt(checkpointEvery + 10 + 2);
  for (const { ledger } of [sleeper, busy, sharer(fixture.share)])
    assert.equal(await ledger.promisedBytes(), expected);
});

/** As several see it who share a limit. */
const limited = ({ share }: VolumeFixture) => ({
  share,
  through: (hooked: Share) => sharer(hooked).volumes,
});

for (const [name, injury] of Object.entries(injuries)) {
  test(`a creation hurt by ${name} and run again is promised once`, async () => {
    await atEveryStep(async (at) => {
      using fixture = new VolumeFixture();
      await sharer(fixture.share).volumes.create(newCall(), sized("other", 1000n));
      const reached = await hurt(limited(fixture), injury, at, (volumes) =>
        volumes.create(newCall(), sized("a", 1000n)),
      );
      const later = sharer(fixture.share);
      await later.volumes.create(newCall(), sized("a", 1000n));
      assert.equal(await later.ledger.promisedBytes(), 2000n, `step ${at}`);
      await assert.rejects(later.volumes.create(newCall(), sized("b", 1n)), { code: "resource-exhausted" });
      return reached;
    });
  });

  test(`growth hurt by ${name} is promised once, or not at all in the end`, async () => {
    const range = { requiredBytes: 900n, limitBytes: 0n };
    await atEveryStep(async (at) => {
      using fixture = new VolumeFixture();
      await sharer(fixture.share).volumes.create(newCall(), sized("a", 500n));
      const reached = await hurt(limited(fixture), injury, at, (volumes) =>
        volumes.expand(newCall(), idOf("a"), range),
      );
      const later = sharer(fixture.share);
      await later.ledger.releaseGone(0);
      const { sizeBytes } = await later.volumes.get(newCall(), idOf("a"));
      assert.equal(await later.ledger.promisedBytes(), sizeBytes, `step ${at}`);
      await later.volumes.expand(newCall(), idOf("a"), range);
      assert.equal(await later.ledger.promisedBytes(), 900n, `step ${at}`);
      return reached;
    });
  });
}
