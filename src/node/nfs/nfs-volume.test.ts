import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSharePath } from "../../share/share-path.ts";
import { Helpers } from "../helpers/helpers.ts";
import type { NfsSource } from "../mounts/mount-source.ts";
import { MountTable } from "../mounts/mount-table.ts";
import { MountWork } from "../mounts/mount-work.ts";
import { NfsVolume } from "./nfs-volume.ts";

const source: NfsSource = {
  kind: "nfs",
  shareName: "nas:/x",
  location: { server: "nas", share: "/x" },
  directory: parseSharePath("v"),
  record: undefined,
  access: { uid: 0, gid: 0, tls: false },
  configured: false,
  exportOptions: "",
  mountOptions: "",
};

test("a directory within the volume, mounted for a subPath, is neither the volume at a target nor a target of it", async (t) => {
  const helpers = new Helpers({ killGroup: () => {} });
  t.after(() => helpers.close());
  const table = MountTable.parse(
    [
      "1 1 8:1 / / rw - ext4 /dev/sda rw",
      "2 1 0:9 / /k/staging rw,relatime - nfs4 nas:/x/v rw,nosharecache",
      "3 1 0:9 / /k/target rw,relatime - nfs4 nas:/x/v rw,nosharecache",
      "4 1 0:9 /sub /k/volume-subpaths/0 rw,relatime - nfs4 nas:/x/v/sub rw,nosharecache",
    ].join("\n"),
  );
  const view = { table, path: "/k/other", stagingPath: "/k/staging", kubeletDir: "/k", tree: undefined };
  const volume = new NfsVolume(new MountWork({ helpers, kubeletDir: "/k" }), "handle", source);
  const staged = await volume.staged(view, { readOnly: false, mountFlags: [] }, "/k/staging");
  assert.ok(staged !== undefined);
  assert.deepEqual(
    staged.targets.map(({ mountPoint }) => mountPoint),
    ["/k/target"],
  );
  assert.deepEqual(table.mounts.map(staged.at), ["foreign", "current", "current", "foreign"]);
});
