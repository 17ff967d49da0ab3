/** A local directory as a share, where file systems are mounted, full or read-only. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hasCode } from "../src/core/errors.ts";
import { DirectoryShare } from "../src/share/directory-share.ts";
import { scratchDirectory } from "../tools/scratch.ts";
import { inMountNamespace } from "./support/mount-namespace.ts";
import { at, bytes, rejectsWith } from "./support/share-contract.ts";

/** A share on a file system of its own, unmounted with `await using`. */
class MountedShare implements AsyncDisposable {
  readonly directory = scratchDirectory("share");
  readonly share = new DirectoryShare({ name: "default", path: this.directory });

  constructor(options: string) {
    mountTmpfs(this.directory, options);
  }

  on(path: string): string {
    return join(this.directory, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.share.close();
    // Lazily: what a failed test still holds open must not leave the mount, and so the directory, behind.
    execFileSync("umount", ["--recursive", "--lazy", this.directory]);
    rmSync(this.directory, { recursive: true });
  }
}

function mountTmpfs(path: string, options: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
}

/** Rejects in words that name the mount point. */
async function isBusy(removal: Promise<unknown>, point: string): Promise<void> {
  await assert.rejects(
    removal,
    (reason) => hasCode(reason, "storage-busy") && reason.message.includes(point),
  );
}

if (inMountNamespace()) {
  for (const { title, mount } of [
    { title: "with another file system", mount: (path: string) => mountTmpfs(path, "size=64k") },
    {
      title: "with a directory of its own file system",
      mount: (path: string) => execFileSync("mount", ["--bind", join(path, "../../../elsewhere"), path]),
    },
  ]) {
    test(`a tree ${title} mounted inside is busy, and nothing of it is removed`, async () => {
      await using mounted = new MountedShare("size=1m");
      mkdirSync(mounted.on("elsewhere"));
      mkdirSync(mounted.on("tree/below/point"), { recursive: true });
      writeFileSync(mounted.on("tree/file"), "");
      mount(mounted.on("tree/below/point"));
      writeFileSync(mounted.on("tree/below/point/theirs"), "");
      const removal = mounted.share.removeTree(at("tree"));
      await isBusy(removal, mounted.on("tree/below/point"));
      assert.deepEqual(readdirSync(mounted.on("tree")).sort(), ["below", "file"]);
      assert.deepEqual(readdirSync(mounted.on("tree/below/point")), ["theirs"]);
      execFileSync("umount", [mounted.on("tree/below/point")]);
      assert.deepEqual(await mounted.share.removeTree(at("tree")), { entries: 4 });
      assert.equal(existsSync(mounted.on("tree")), false);
    });
  }

  test("a tree on which something is mounted is busy", async () => {
    await using mounted = new MountedShare("size=1m");
    mkdirSync(mounted.on("tree"));
    mountTmpfs(mounted.on("tree"), "size=64k");
    writeFileSync(mounted.on("tree/theirs"), "");
    const removal = mounted.share.removeTree(at("tree"));
    await isBusy(removal, mounted.on("tree"));
    assert.deepEqual(readdirSync(mounted.on("tree")), ["theirs"]);
  });

  test("a mount at a path that only begins alike is in nobody's way", async () => {
    await using mounted = new MountedShare("size=1m");
    mkdirSync(mounted.on("tree"));
    mkdirSync(mounted.on("tree-2"));
    mountTmpfs(mounted.on("tree-2"), "size=64k");
    assert.deepEqual(await mounted.share.removeTree(at("tree")), { entries: 1 });
  });

  test("a mount whose path has a space, a newline or letters beyond ASCII is seen", async () => {
    await using mounted = new MountedShare("size=1m");
    mkdirSync(mounted.on("elsewhere"));
    for (const name of ["a space", "a\nnewline", "größe"]) {
      const point = mounted.on(`${name}/point`);
      mkdirSync(point, { recursive: true });
      execFileSync("mount", ["--bind", mounted.on("elsewhere"), point]);
      writeFileSync(mounted.on(`${name}/file`), "");
      await isBusy(mounted.share.removeTree(at(name)), point);
      assert.deepEqual(readdirSync(mounted.on(name)).sort(), ["file", "point"]);
    }
  });

  test("a full file system has no space", async () => {
    await using mounted = new MountedShare("size=64k");
    const content = bytes("x".repeat(100_000));
    const creation = mounted.share.createFile(at("file"), content);
    await rejectsWith(mounted.share, "storage-no-space", "file", creation);
    assert.equal((await mounted.share.space(at(""))).availableBytes, 0n);
  });

  test("a file system without inodes left has no space", async () => {
    await using mounted = new MountedShare("size=1m,nr_inodes=2");
    await mounted.share.makeDirectory(at("a"), 0o755);
    const making = mounted.share.makeDirectory(at("b"), 0o755);
    await rejectsWith(mounted.share, "storage-no-space", "b", making);
    assert.equal((await mounted.share.space(at(""))).availableInodes, 0n);
  });

  test("a file system mounted read-only while the share is open is read-only", async () => {
    await using mounted = new MountedShare("size=1m");
    const { share } = mounted;
    await share.makeDirectory(at("a"), 0o755);
    await share.createFile(at("a/file"), bytes(""));
    execFileSync("mount", ["-o", "remount,ro", mounted.directory]);
    for (const [path, operation] of [
      ["b", () => share.makeDirectory(at("b"), 0o755)],
      ["c", () => share.createFile(at("c"), bytes(""))],
      ["a", () => share.setAttributes(at("a"), { mode: 0o700 })],
      ["a/file", () => share.removeFile(at("a/file"))],
      ["a", () => share.removeTree(at("a"))],
      ["its root", () => share.sync()],
    ] as const) {
      await rejectsWith(share, "storage-read-only", path, operation());
    }
    assert.equal((await share.stat(at("a/file"))).type, "file");
  });

  test("a directory below the share that is another file system cannot be renamed into", async () => {
    await using mounted = new MountedShare("size=1m");
    mkdirSync(mounted.on("other"));
    mountTmpfs(mounted.on("other"), "size=64k");
    await mounted.share.makeDirectory(at("a"), 0o755);
    const renaming = mounted.share.rename(at("a"), at("other/a"));
    await rejectsWith(mounted.share, "storage-unsupported", "other/a", renaming);
  });
}
