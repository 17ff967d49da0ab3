/**
 * A server that knows an export by other handles than before: its disk was restored to another, or replaced by its copy.
 * Whoever has the root's old handle can do nothing more with that; but the export is there.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GuestNetwork } from "../../src/lab/guest/network.ts";
import { StorageGuest } from "../../src/lab/guest/storage.ts";
import { NfsShare } from "../../src/share/nfs-share.ts";
import { parseSharePath, shareRoot } from "../../src/share/share-path.ts";
import { layoutPaths } from "../../src/volumes/layout.ts";

const everything = new AsyncDisposableStack();
let storage: StorageGuest;

before(async () => {
  const network = everything.use(await GuestNetwork.open());
  storage = everything.use(
    await StorageGuest.boot(network, { fileSystems: [{ name: "small", type: "ext4", sizeBytes: 2 ** 25 }] }),
  );
});

after(() => everything.disposeAsync());

/** The kernel's server takes a file system with another UUID for another one. */
async function becomeAnother(): Promise<void> {
  await storage.stopServer();
  await storage.check(`exportfs -f
    umount /srv/small; umount /mnt/exported/srv/small 2>/dev/null || :
    e2fsck -fy /dev/ubdb >/dev/null 2>&1 || [ $? -le 1 ]
    tune2fs -U random /dev/ubdb >/dev/null
    mount -t ext4 -o prjquota /dev/ubdb /srv/small
    mountpoint -q /mnt/exported/srv/small || mount --bind /srv/small /mnt/exported/srv/small
    exportfs -ra`);
  await storage.startServer();
  await storage.endGrace();
}

for (const version of ["3", "4.1", "4.2"] as const) {
  test(`over NFS ${version} a share goes on when its export's root has another handle (csi-driver-nfs #927, democratic-csi #344 #100)`, async (t) => {
    const connect = { host: storage.address, path: "/srv/small", versions: [version], mountPort: 20048 };
    const share = new NfsShare({ name: "nas", connect, kept: layoutPaths });
    t.after(() => share.close());
    const at = (name: string) => parseSharePath(`${name}-${version}`);
    await share.makeDirectory(at("before"), 0o755);
    await becomeAnother();
    assert.equal((await share.stat(at("before"))).type, "directory");
    await share.createFile(parseSharePath(`before-${version}/file`), Buffer.from("content"));
    await becomeAnother();
    await share.rename(at("before"), at("renamed"));
    await becomeAnother();
    const names: string[] = [];
    for await (const { name } of share.list(shareRoot)) names.push(name);
    assert.ok(names.includes(at("renamed")), names.join(" "));
    await becomeAnother();
    const many = Array.from({ length: 20 }, (_, number) => at(`many-${number}`));
    await Promise.all(many.map((path) => share.makeDirectory(path, 0o755)));
    await share.removeTree(at("renamed"));
    const fresh = new NfsShare({ name: "nas", connect, kept: [at("kept")] });
    t.after(() => fresh.close());
    await fresh.makeDirectory(at("kept"), 0o755); // and knows no other handle than the root's
    await becomeAnother();
    await fresh.makeDirectory(parseSharePath(`kept-${version}/inner`), 0o755);
  });
}
