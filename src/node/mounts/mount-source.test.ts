import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { volumeNameOf } from "../../core/volume-id.ts";
import { isNfsMountOf, isNfsVolume } from "./mount-source.ts";
import { MountTable } from "./mount-table.ts";

const staging = (volumeId: string) =>
  `/var/lib/kubelet/plugins/kubernetes.io/csi/d/${createHash("sha256").update(volumeId).digest("hex")}/globalmount`;

function tableOf(...mounts: [device: string, point: string, source: string, options?: string][]): MountTable {
  const lines = mounts.map(
    ([device, point, source, options = "rw,nosharecache"], index) =>
      `${index + 2} 1 ${device} / ${point} rw,relatime - nfs4 ${source} ${options}`,
  );
  return MountTable.parse(["1 1 8:1 / / rw - ext4 /dev/sda rw", ...lines].join("\n"));
}

function owns(table: MountTable, point: string, volumeId: string, share?: string): boolean {
  const mount = table.at(point);
  assert.ok(mount !== undefined);
  return isNfsMountOf(mount, table, volumeId, share);
}

test("a mount is the volume's whose handle kubelet has its superblock staged under, wherever its server is now", () => {
  const table = tableOf(["0:9", staging("mine"), "old:/x/mine"], ["0:9", "/pods/a", "old:/x/mine"]);
  for (const point of [staging("mine"), "/pods/a"]) {
    assert.equal(owns(table, point, "mine", "/y"), true);
    assert.equal(owns(table, point, "other", "/x"), false);
  }
});

test("a mount that is staged nowhere is the volume's if it lies on the export that the id names", () => {
  const table = tableOf(["0:9", "/pods/a", "nas:/x/mine"]);
  assert.equal(owns(table, "/pods/a", "mine", "/x"), true);
  assert.equal(owns(table, "/pods/a", "by-hand"), true);
  assert.equal(owns(table, "/pods/a", "mine", "/xy"), false);
});

test("an inline volume's mount is that volume's alone: ids are told apart by the directory's name", () => {
  const inline = (pod: string) => `csi-${createHash("sha256").update(pod).digest("hex")}`;
  const table = tableOf(
    ["0:9", "/pods/a", `nas:/x/${volumeNameOf(inline("a"))}`],
    ["0:8", "/pods/b", "nas:/x/by-hand"],
  );
  for (const share of [undefined, "/x", "/moved"]) {
    assert.equal(owns(table, "/pods/a", inline("a"), share), true);
    assert.equal(owns(table, "/pods/a", inline("b"), share), false);
    assert.equal(owns(table, "/pods/a", "by-hand", share), false);
    assert.equal(owns(table, "/pods/b", inline("b"), share), false);
  }
});

test("a handle that looks like an inline volume's is believed where kubelet has it staged", () => {
  const handle = `csi-${"0".repeat(64)}`;
  const table = tableOf(["0:9", staging(handle), "nas:/x/by-hand"], ["0:9", "/pods/a", "nas:/x/by-hand"]);
  assert.equal(owns(table, "/pods/a", handle), true);
});

test("an NFS mount that shares its superblock is not one of Berth's", () => {
  const table = tableOf(["0:9", "/home", "nas:/home", "rw"]);
  assert.equal(owns(table, "/home", "by-hand"), false);
  assert.equal(table.mounts.some(isNfsVolume), false);
});
