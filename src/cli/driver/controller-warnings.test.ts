import assert from "node:assert/strict";
import { test } from "node:test";
import { MountTable } from "../../node/mounts/mount-table.ts";
import { parseConfig } from "../config/config.ts";
import { controllerWarnings } from "./controller-warnings.ts";

const table = MountTable.parse(`1 1 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:50 / /mnt/nas rw - nfs4 nas:/srv rw
3 1 0:51 / /mnt/scratch rw - tmpfs scratch rw
4 2 8:2 / /mnt/nas/disk rw - xfs /dev/sdb1 rw
`);

function warningsOf(path: string): string[] {
  const { directories } = parseConfig(`directories:\n  - { name: one, path: ${path} }\n`, "berth.yaml");
  return controllerWarnings(directories, table);
}

test("a directory on a disk of this machine is nothing to be warned of", () => {
  for (const path of ["/srv/berth", "/mnt/nas2", "/mnt/scratch/a", "/mnt/nas/disk/a"])
    assert.deepEqual(warningsOf(path), [], path);
});

test("a directory on a network's file system is told with its mount, and what to name instead", () => {
  for (const path of ["/mnt/nas", "/mnt/nas/berth"]) {
    assert.deepEqual(warningsOf(path), [
      `the directory of share one (${path}) lies on nfs4, mounted at /mnt/nas: while its server does not answer the ` +
        "whole controller stands still; take a local disk, or name the server's export under exports",
    ]);
  }
});
