/** `berth nfs` and the roots of exports on the kernel's server, whose pseudo-root shows the disk's own directories. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { GuestNetwork } from "../../src/lab/guest/network.ts";
import { StorageGuest } from "../../src/lab/guest/storage.ts";
import { berthNfs } from "./berth-nfs.ts";

const everything = new AsyncDisposableStack();
let storage: StorageGuest;

before(async () => {
  const network = everything.use(await GuestNetwork.open());
  storage = everything.use(
    await StorageGuest.boot(network, {
      fileSystems: [
        { name: "disk", type: "ext4", sizeBytes: 2 ** 24 },
        { name: "shared", type: "ext4", sizeBytes: 2 ** 24 },
      ],
      exports: [{ path: "/srv/disk" }],
    }),
  );
  // One is a file system, of the other only a directory is exported: it looks as if it lay in the one above.
  await storage.check(
    "mkdir -p /srv/shared/inner/tree /srv/disk/tree; touch /srv/shared/inner/tree/file /srv/disk/tree/file",
  );
  await storage.setExports([{ path: "/srv/disk" }, { path: "/srv/shared/inner" }]);
});

after(() => everything.disposeAsync());

describe("the root of an export", () => {
  for (const query of ["", "?version=4.2", "?version=4.1", "?version=3&mountPort=20048"]) {
    test(`is not removed or renamed, nor anything below it (${query})`, async () => {
      for (const path of ["/srv/disk", "/srv/shared/inner"]) {
        const url = `nfs://${storage.address}${path}${query}`;
        for (const args of [
          ["rm", "-r", url],
          ["mv", url, `${url.replace(query, "")}/q${query}`],
        ]) {
          const { exitCode, stderr } = await berthNfs(...args);
          assert.deepEqual([exitCode, /is the root of an export/.test(stderr)], [2, true], stderr);
        }
        assert.equal(await storage.check(`find ${path}/tree -type f`), `${path}/tree/file\n`);
      }
    });
  }
});
