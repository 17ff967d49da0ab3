/** Which file systems keep the order of changes, each with a disk of its own. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { keepsOrder } from "../../src/share/journal-order.ts";
import { scratchDirectory } from "../../tools/scratch.ts";
import { inMountNamespace } from "../support/mount-namespace.ts";

/** XFS takes no less. */
const diskBytes = 300 * 2 ** 20;

function orderAt(path: string): boolean {
  const directory = openSync(path, "r");
  try {
    return keepsOrder(directory);
  } finally {
    closeSync(directory);
  }
}

function mount(...options: readonly string[]): AsyncDisposable & { readonly path: string } {
  const path = scratchDirectory("mounted");
  execFileSync("mount", [...options, path]);
  return { path, [Symbol.asyncDispose]: async () => void execFileSync("umount", [path]) };
}

function newDisk(type: string, ...options: readonly string[]): string {
  const disk = join(scratchDirectory("disk"), "image");
  writeFileSync(disk, "");
  truncateSync(disk, diskBytes);
  execFileSync(`mkfs.${type}`, ["-q", ...options, disk], { stdio: ["ignore", "ignore", "inherit"] });
  return disk;
}

if (inMountNamespace()) {
  for (const [title, keeps, type, ...options] of [
    ["ext4 with a journal keeps", true, "ext4"],
    ["ext4 without a journal does not keep", false, "ext4", "-O", "^has_journal"],
    ["ext3 keeps", true, "ext3"],
    ["ext2 does not keep", false, "ext2"],
    ["XFS keeps", true, "xfs"],
    ["btrfs does not keep", false, "btrfs"],
  ] as const) {
    test(`${title} the order of changes`, async () => {
      await using mounted = mount("-t", type, "-o", "loop", newDisk(type, ...options));
      assert.equal(orderAt(mounted.path), keeps);
    });
  }

  test("a directory that is mounted elsewhere is of the file system that it lies on", async () => {
    await using disk = mount("-t", "ext4", "-o", "loop", newDisk("ext4"));
    mkdirSync(join(disk.path, "a"));
    await using bound = mount("--bind", join(disk.path, "a"));
    assert.equal(orderAt(bound.path), true);
  });

  test("an overlay does not keep the order of changes, whatever it writes to", async () => {
    await using disk = mount("-t", "ext4", "-o", "loop", newDisk("ext4"));
    for (const name of ["lower", "upper", "work"]) mkdirSync(join(disk.path, name));
    const layers = `lowerdir=${disk.path}/lower,upperdir=${disk.path}/upper,workdir=${disk.path}/work`;
    await using overlay = mount("-t", "overlay", "-o", layers, "overlay");
    assert.equal(orderAt(overlay.path), false);
  });

  test("memory has an order to keep as good as any, since nothing survives", async () => {
    await using memory = mount("-t", "tmpfs", "tmpfs");
    assert.equal(orderAt(memory.path), true);
  });

  test("a journal that is not shown is none", async () => {
    await using disk = mount("-t", "ext4", "-o", "loop", newDisk("ext4"));
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", "/sys/dev"]);
    try {
      assert.equal(orderAt(disk.path), false);
    } finally {
      execFileSync("umount", ["/sys/dev"]);
    }
  });
}
