import assert from "node:assert/strict";
import { test } from "node:test";
import { nfsSource } from "../../../test/support/nfs-source.ts";
import { Helpers } from "../helpers/helpers.ts";
import { MountTable } from "../mounts/mount-table.ts";
import { MountWork } from "../mounts/mount-work.ts";
import { NfsVolume } from "./nfs-volume.ts";

test("a directory within the volume, mounted for a subPath, is neither the volume at a target nor a target of it", async (t) => {
  const helpers = new Helpers({ killGroup: () => {} });
  t.after(() => helpers.close());
  const table = MountTable.parse(
    [
      "1 1 8:1 / / rw - ext4 /dev/sda rw",
      "2 1 0:9 / /k/staging rw,relatime - nfs4 nas:/k8s/pvc-1 rw,nosharecache",
      "3 1 0:9 / /k/target rw,relatime - nfs4 nas:/k8s/pvc-1 rw,nosharecache",
      "4 1 0:9 /sub /k/volume-subpaths/0 rw,relatime - nfs4 nas:/k8s/pvc-1/sub rw,nosharecache",
    ].join("\n"),
  );
  const view = { table, path: "/k/other", stagingPath: "/k/staging", kubeletDir: "/k", tree: undefined };
  const volume = new NfsVolume(new MountWork({ helpers, kubeletDir: "/k" }), "handle", nfsSource);
  const staged = await volume.staged(view, { readOnly: false, mountFlags: [] }, "/k/staging");
  assert.ok(staged !== undefined);
  assert.deepEqual(
    staged.targets.map(({ mountPoint }) => mountPoint),
    ["/k/target"],
  );
  assert.deepEqual(table.mounts.map(staged.at), ["foreign", "current", "current", "foreign"]);
});
