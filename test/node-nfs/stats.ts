/** What the real plugin says of volumes that a real kernel has mounted, by its own client. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { VolumeUsage_Unit as Unit } from "../../src/gen/csi/v1/csi_pb.ts";
import { type NodeNfsFixture, share } from "./fixture.ts";
import { type NodeGuest, type NodeVolume, targetPathOf } from "./node-guest.ts";
import { sharedFixture } from "./shared-fixture.ts";

const mib = 2n ** 20n;
let fixture: NodeNfsFixture;
let node: NodeGuest;

before(async () => {
  fixture = await sharedFixture();
  node = fixture.node;
});

async function published(volume: NodeVolume, pod: string): Promise<void> {
  assert.equal((await node.stage(volume)).code, "OK");
  assert.equal((await node.publish(volume, pod)).code, "OK");
}

async function figuresOf(volume: NodeVolume, pod: string) {
  const { usage, volumeCondition } = await node.figures(volume, pod);
  return { bytes: usage.find(({ unit }) => unit === Unit.BYTES), condition: volumeCondition };
}

test("a volume's quota on the server shows in its figures, and a silent server only makes them old", async () => {
  const volume = await fixture.createVolume("pvc-quota");
  await published(volume, "a");
  const unlimited = await figuresOf(volume, "a");
  assert.equal(unlimited.bytes?.total, mib);
  assert.match(unlimited.condition?.message ?? "", /never measured yet/);

  await fixture.storage.check(
    `xfs_quota -x -c 'project -s -p ${share}/pvc-quota 42' -c 'limit -p bhard=40m 42' ${share}`,
  );
  await node.guest.check(
    `dd if=/dev/zero of=${targetPathOf("a")}/file bs=1M count=10 conv=fsync 2>/dev/null`,
  );
  const { bytes, condition } = await figuresOf(volume, "a");
  const { total, used, available } = bytes ?? { total: 0n, used: 0n, available: 0n };
  assert.deepEqual([total, used + available], [40n * mib, 40n * mib]);
  // XFS sets blocks aside behind the end of a file that is still open on the server.
  assert.ok(used >= 10n * mib && used < 30n * mib, `${used} bytes are used`);
  assert.equal(condition?.abnormal, false);
  assert.match(condition.message, /server's quota/);

  await fixture.storage.guest.pause();
  const silent = await figuresOf(volume, "a");
  await fixture.storage.guest.resume();
  assert.deepEqual(silent.bytes, bytes);
  assert.equal(silent.condition?.abnormal, true);
  assert.match(silent.condition.message, /has not answered for 5000 ms; the figures are as of/);
});

for (const version of ["3", "4.2"]) {
  test(`the mount is never touched: the kernel sends nothing for figures (NFS ${version})`, async () => {
    const volume = await fixture.createVolume(`pvc-untouched-${version}`, {
      mountOptions: `vers=${version},nolock`,
    });
    await published(volume, "u");
    // What the kernel has asked of the server for the mounts of this volume, operation by operation.
    const line = `/^device .* mounted on [^ ]*\\/pods\\/u\\//`;
    const asked = () =>
      node.guest.check(
        `awk '/^device /{on=0} ${line}{on=1} on && /^\\t *(GETATTR|LOOKUP|ACCESS|FSSTAT|STATFS|READDIR.*): /{print $1, $2}' /proc/self/mountstats`,
      );
    const before = await asked();
    assert.match(before, /GETATTR: \d/);
    for (let time = 0; time < 3; time++) assert.ok((await figuresOf(volume, "u")).bytes !== undefined);
    assert.equal(await asked(), before);
    await node.guest.check(`stat -f ${targetPathOf("u")}`);
    assert.notEqual(await asked(), before, "it would show");
    assert.equal((await node.unpublish(volume, "u")).code, "OK");
    assert.equal((await node.unstage(volume)).code, "OK");
  });
}

test("of a volume that was written by hand it says whose figures they are", async () => {
  await fixture.storage.check(`mkdir -p ${share}/by-hand`);
  const volume = {
    volumeId: "my-own-handle",
    volumeContext: { server: fixture.storage.address, share, subDir: "by-hand" },
  };
  await published(volume, "b");
  const { bytes, condition } = await figuresOf(volume, "b");
  assert.match(condition?.message ?? "", /figures of the whole share/);
  assert.ok((bytes?.total ?? 0n) > 900n * mib);
});

test("a volume that is not mounted there is not found", async () => {
  const volume = await fixture.createVolume("pvc-unmounted");
  assert.equal((await node.stats(volume, "c")).code, "NOT_FOUND");
  const unknown = { volumeId: "nobody-knows", volumeContext: {} };
  assert.equal((await node.stats(unknown, "c")).code, "NOT_FOUND");
});
