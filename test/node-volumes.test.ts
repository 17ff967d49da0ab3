/** Staging and publishing with the kernel's own mounts. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { inMountNamespace } from "./support/mount-namespace.ts";
import { keepBusy, NodeFixture, newCall, run } from "./support/node-fixture.ts";

if (inMountNamespace()) {
  for (const linkedKubelet of [false, true]) {
    const where = linkedKubelet ? "a kubelet directory that is a symbolic link" : "a kubelet directory";
    test(`stage, publish, unpublish and unstage below ${where} mount and leave nothing`, async () => {
      using node = new NodeFixture({ linkedKubelet });
      await node.stage();
      await node.publish("a");
      writeFileSync(join(node.target("a"), "file"), "hello");
      assert.equal(readFileSync(join(node.share, "pvc-1/file"), "utf8"), "hello");
      assert.equal((await node.mountsBelow()).length, 2);
      await node.unpublish("a");
      assert.equal(existsSync(node.target("a")), false);
      await node.unstage();
      assert.deepEqual(await node.mountsBelow(), []);
      assert.equal(existsSync(node.staging), true);
      assert.equal(existsSync(join(node.share, "pvc-1/file")), true);
    });
  }

  test("every call may be repeated", async () => {
    using node = new NodeFixture();
    await node.stage();
    await node.stage();
    await node.publish("a");
    await node.publish("a");
    assert.equal((await node.mountsBelow()).length, 2);
    await node.unpublish("a");
    await node.unpublish("a");
    await node.unstage();
    await node.unstage();
    assert.deepEqual(await node.mountsBelow(), []);
  });

  test("a staging directory that is missing is made, and its absence is no error for unstage", async () => {
    using node = new NodeFixture();
    rmSync(node.staging, { recursive: true });
    await node.unstage();
    await node.stage();
    assert.equal((await node.mountsBelow()).length, 1);
  });

  test("a read-only publish is read-only, and the same target writable is already-exists", async () => {
    using node = new NodeFixture();
    await node.stage();
    await node.publish("a", { readOnly: true });
    assert.throws(() => writeFileSync(join(node.target("a"), "file"), ""), { code: "EROFS" });
    await node.publish("a", { readOnly: true });
    await assert.rejects(node.publish("a"), { code: "already-exists" });
    await node.publish("b");
    writeFileSync(join(node.target("b"), "file"), "");
  });

  test("mount flags are the kernel's, and staging again with others is already-exists", async () => {
    using node = new NodeFixture();
    await node.stage({ mountFlags: ["nosuid", "nodev", "noexec", "noatime", "nodiratime"] });
    const [mount] = await node.mountsBelow();
    assert.deepEqual(mount?.options, ["rw", "nosuid", "nodev", "noexec", "noatime", "nodiratime"]);
    await assert.rejects(node.stage(), { code: "already-exists" });
    await node.publish("a", { readOnly: true, mountFlags: ["nosuid"] });
    const [published] = await node.mountsBelow(join(node.kubelet, "pods"));
    assert.deepEqual(published?.options, ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime"]);
  });

  test("a mount flag that a bind mount cannot have is refused by its place, not by its text", async () => {
    using node = new NodeFixture();
    const refused = node.stage({ mountFlags: ["noexec", "password=secret"] });
    await assert.rejects(refused, ({ code, message }: { code: string; message: string }) => {
      assert.equal(code, "invalid-argument");
      assert.match(message, /the 2nd mount flag /);
      assert.doesNotMatch(message, /secret/);
      return true;
    });
    assert.deepEqual(await node.mountsBelow(), []);
  });

  test("a volume without a record is not-found", async () => {
    using node = new NodeFixture();
    rmSync(join(node.share, ".berth/volumes/pvc-1"), { recursive: true });
    await assert.rejects(node.stage(), { code: "not-found" });
    assert.deepEqual(await node.mountsBelow(), []);
  });

  test("a volume whose directory is a symbolic link or a file is refused", async () => {
    using node = new NodeFixture();
    const directory = join(node.share, "pvc-1");
    rmSync(directory, { recursive: true });
    symlinkSync("/etc", directory);
    await assert.rejects(node.stage(), { code: "failed-precondition", message: /is not a directory/ });
    rmSync(directory);
    writeFileSync(directory, "");
    await assert.rejects(node.stage(), { code: "failed-precondition", message: /is not a directory/ });
    assert.deepEqual(await node.mountsBelow(), []);
  });

  test("a staging path that is a file or a symbolic link is refused and stays", async () => {
    using node = new NodeFixture();
    rmSync(node.staging, { recursive: true });
    writeFileSync(node.staging, "mine");
    await assert.rejects(node.stage(), { code: "failed-precondition" });
    assert.equal(readFileSync(node.staging, "utf8"), "mine");
    rmSync(node.staging);
    symlinkSync("/etc", node.staging);
    await assert.rejects(node.stage(), { code: "failed-precondition" });
    assert.deepEqual(await node.mountsBelow(), []);
  });

  test("a staging path that is a mount of something else is refused, and is not unmounted", async () => {
    using node = new NodeFixture();
    run("mount", "-t", "tmpfs", "foreign", node.staging);
    await assert.rejects(node.stage(), { code: "failed-precondition", message: /something else/ });
    await assert.rejects(node.publish("a"), { code: "failed-precondition", message: /not staged/ });
    await assert.rejects(node.unstage(), { code: "failed-precondition", message: /something else/ });
    assert.equal((await node.mountsBelow())[0]?.fsType, "tmpfs");
  });

  test("a share that is mounted read-only is refused to a writer and serves a reader", async () => {
    using node = new NodeFixture();
    run("mount", "--bind", node.share, node.share);
    run("mount", "-o", "remount,bind,ro", node.share);
    await assert.rejects(node.stage(), { code: "failed-precondition", message: /mounted ro/ });
    await node.stage({ readOnly: true });
    await node.publish("a", { readOnly: true });
  });

  test("publish of a volume that is not staged is failed-precondition and makes no target", async () => {
    using node = new NodeFixture();
    await assert.rejects(node.publish("a"), { code: "failed-precondition", message: /not staged/ });
    assert.equal(existsSync(node.target("a")), false);
  });

  test("an access mode for one target refuses a second one, until the first is gone", async () => {
    using node = new NodeFixture();
    await node.stage();
    await node.publish("a", { targets: "one" });
    await node.publish("a", { targets: "one" });
    await assert.rejects(node.publish("b", { targets: "one" }), { code: "failed-precondition" });
    await node.unpublish("a");
    await node.publish("b", { targets: "one" });
  });

  for (const path of ["/etc/berth-target", "/var/../etc/x", "relative/path", "/a\nb"]) {
    test(`a target path ${JSON.stringify(path)} is invalid-argument`, async () => {
      using node = new NodeFixture();
      await node.stage();
      await assert.rejects(node.publish("a", { targetPath: path }), { code: "invalid-argument" });
      assert.equal(existsSync("/etc/berth-target"), false);
    });
  }

  test("a target that leaves the kubelet directory through a symbolic link is invalid-argument", async () => {
    using node = new NodeFixture();
    await node.stage();
    symlinkSync(node.root, join(node.kubelet, "out"));
    const targetPath = join(node.kubelet, "out/target");
    await assert.rejects(node.publish("a", { targetPath }), { code: "invalid-argument" });
    assert.equal(existsSync(join(node.root, "target")), false);
  });

  test("a file at the target or in its way is failed-precondition and stays", async () => {
    using node = new NodeFixture();
    await node.stage();
    mkdirSync(dirname(node.target("a")), { recursive: true });
    writeFileSync(node.target("a"), "mine");
    await assert.rejects(node.publish("a"), { code: "failed-precondition" });
    await assert.rejects(node.unpublish("a"), { code: "failed-precondition" });
    assert.equal(readFileSync(node.target("a"), "utf8"), "mine");
    writeFileSync(join(node.kubelet, "pods/b"), "");
    await assert.rejects(node.publish("b"), { code: "failed-precondition", message: /parent/ });
  });

  test("unpublish leaves a directory that is not empty, and says so", async () => {
    using node = new NodeFixture();
    mkdirSync(join(node.target("a"), "data"), { recursive: true });
    await assert.rejects(node.unpublish("a"), { code: "failed-precondition", message: /not empty/i });
    assert.equal(existsSync(join(node.target("a"), "data")), true);
  });

  test("unpublish never unmounts what is not the volume's", async () => {
    using node = new NodeFixture();
    node.addVolume("pvc-2");
    mkdirSync(node.target("a"), { recursive: true });
    run("mount", "--bind", join(node.share, "pvc-2"), node.target("a"));
    await assert.rejects(node.unpublish("a"), { code: "failed-precondition", message: /something else/ });
    assert.equal((await node.mountsBelow()).length, 1);
  });

  test("unpublish of an unknown id is fine when nothing is mounted, and refused when something is", async () => {
    using node = new NodeFixture();
    const unknown = { volumeId: "whatever", source: undefined, path: node.target("a") };
    await node.volumes.unpublish(unknown, newCall());
    await node.stage();
    await node.publish("a");
    await assert.rejects(node.volumes.unpublish(unknown, newCall()), { code: "failed-precondition" });
    assert.equal((await node.mountsBelow()).length, 2);
  });

  test("unpublish takes away mounts on top of each other, and one that is in use", async () => {
    using node = new NodeFixture();
    await node.stage();
    await node.publish("a");
    run("mount", "--bind", node.staging, node.target("a"));
    using _busy = await keepBusy(node.target("a"));
    await node.unpublish("a");
    assert.equal(existsSync(node.target("a")), false);
    assert.equal((await node.mountsBelow()).length, 1);
  });

  test("unpublish and unstage leave a volume in which something else is mounted, and say what", async () => {
    using node = new NodeFixture();
    await node.stage();
    await node.publish("a");
    const below = [join(node.target("a"), "below"), join(node.staging, "below")];
    for (const [index, path] of below.entries()) {
      mkdirSync(path, { recursive: true });
      run("mount", "-t", "tmpfs", `foreign-${index}`, path);
    }
    const refused = (name: string) => ({ code: "failed-precondition", message: new RegExp(`${name} at`) });
    await assert.rejects(node.unpublish("a"), refused("foreign-0"));
    await assert.rejects(node.unstage(), refused("foreign-1"));
    assert.equal((await node.mountsBelow()).length, 4);
    run("umount", ...below);
    await node.unpublish("a");
    await node.unstage();
    assert.deepEqual(await node.mountsBelow(), []);
  });

  test("a volume that was deleted while it was published can be unpublished and unstaged", async () => {
    using node = new NodeFixture();
    await node.stage();
    await node.publish("a");
    const entry = join(node.share, ".berth/trash/n");
    mkdirSync(entry, { recursive: true });
    renameSync(join(node.share, "pvc-1"), join(entry, "tree"));
    await node.unpublish("a");
    rmSync(entry, { recursive: true });
    await node.unstage();
    assert.deepEqual(await node.mountsBelow(), []);
  });

  const calls: Readonly<Record<string, (node: NodeFixture) => Promise<unknown>>> = {
    NodeStageVolume: (node) => node.stage(),
    NodePublishVolume: (node) => node.publish("a"),
    NodeUnpublishVolume: (node) => node.unpublish("a"),
    NodeUnstageVolume: (node) => node.unstage(),
  };
  for (const [running, call] of Object.entries(calls)) {
    test(`while ${running} runs, every other call for the volume is aborted, and none for another volume`, async () => {
      using node = new NodeFixture();
      node.addVolume("pvc-2");
      if (running !== "NodeStageVolume") await node.stage();
      if (running === "NodeUnpublishVolume") await node.publish("a");
      const { volumeId, staging } = node;
      const first = call(node);
      for (const [other, again] of Object.entries(calls)) {
        await assert.rejects(again(node), {
          code: "aborted",
          message: `${other} of ${volumeId}: ${running} of the same volume is still running; retry`,
        });
      }
      await node.stage({ volumeId: `${volumeId}2`, stagingPath: `${staging}2` });
      await first;
      await node.unpublish("a");
      await node.unstage();
      assert.equal((await node.mountsBelow()).length, 1);
    });
  }
}
