/** A server's quota on a volume's directory, as a node tells it: the kernel's NFS server on XFS. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/core/clock.ts";
import { silentLog } from "../../src/core/log.ts";
import { randomNonce } from "../../src/core/nonce.ts";
import { volumeNameOf } from "../../src/core/volume-id.ts";
import { GuestNetwork } from "../../src/lab/guest/network.ts";
import { StorageGuest } from "../../src/lab/guest/storage.ts";
import { ExportStats } from "../../src/node/stats/export-stats.ts";
import { NfsShare } from "../../src/share/nfs-share.ts";
import { parseSharePath } from "../../src/share/share-path.ts";
import { layoutPaths } from "../../src/volumes/layout.ts";
import { ShareVolumes } from "../../src/volumes/share-volumes.ts";
import { usagePaceDefaults } from "../../src/volumes/usage/usage-plan.ts";
import { UsageScanner } from "../../src/volumes/usage/usage-scanner.ts";
import { newCall, owner, requestFor } from "../support/volume-fixture.ts";

const mib = 2n ** 20n;
const everything = new AsyncDisposableStack();
let storage: StorageGuest;

before(async () => {
  const network = everything.use(await GuestNetwork.open());
  storage = everything.use(
    await StorageGuest.boot(network, { fileSystems: [{ name: "xfs", type: "xfs", sizeBytes: 2 ** 30 }] }),
  );
});

after(() => everything.disposeAsync());

for (const [index, version] of (["3", "4.1", "4.2"] as const).entries()) {
  test(`over NFS ${version} a quota of 40 MiB on a volume is what the node tells of it`, async (t) => {
    const connect = { host: storage.address, path: "/srv/xfs", versions: [version], mountPort: 20048 };
    const share = new NfsShare({ name: "nas", connect, kept: layoutPaths });
    t.after(() => share.close());
    const context = { share, owner, clock: systemClock, newNonce: randomNonce };
    const name = `pvc-${index}`;
    const capacity = { requiredBytes: 100n * mib, limitBytes: 0n };
    await new ShareVolumes(context).create(newCall(), requestFor(name, { capacity }));
    const request = {
      volumeId: name,
      share,
      directory: parseSharePath(name),
      recordName: volumeNameOf(name),
    };
    const stats = async () => await new ExportStats().measure(request, newCall());
    const project = 700 + index;

    await storage.check(`dd if=/dev/zero of=/srv/xfs/${name}/file bs=1M count=10 2>/dev/null; sync`);
    await new UsageScanner(context, usagePaceDefaults, silentLog).round(new AbortController().signal);
    const measured = await stats();
    assert.equal(measured.usage?.totalBytes, 100n * mib);
    assert.equal(measured.usage.usedBytes, 10n * mib);
    assert.match(measured.condition.message, /nothing on the server enforces the size/);

    await storage.check(
      `xfs_quota -x -c 'project -s -p /srv/xfs/${name} ${project}' -c 'limit -p bhard=40m ihard=100 ${project}' /srv/xfs`,
    );
    const limited = await stats();
    assert.deepEqual(limited.usage, {
      totalBytes: 40n * mib,
      usedBytes: 10n * mib,
      availableBytes: 30n * mib,
      usedInodes: 2n,
      availableInodes: 98n,
    });
    assert.match(
      limited.condition.message,
      /server's quota.*the quota of 41943040 bytes \(40 MiB\) is not the volume's size of 104857600 bytes \(100 MiB\)/,
    );
  });
}
