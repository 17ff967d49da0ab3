import assert from "node:assert/strict";
import { link, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { hasCode, type StorageCode } from "../../src/core/errors.ts";
import { NfsShare } from "../../src/share/nfs-share.ts";
import { parseSharePath, shareRoot } from "../../src/share/share-path.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

const path = parseSharePath;

async function fails(work: Promise<unknown>, code: StorageCode): Promise<void> {
  await assert.rejects(work, (error) => hasCode(error, code) && error.message.includes("/srv/data"));
}

for (const version of ["3", "4.1"] as const) {
  describe(`a share over NFS ${version}`, () => {
    let server: Ganesha;
    let share: NfsShare;
    let local: string;
    const shareOf = (exported: string): NfsShare => {
      const { address: host, nfsPort: port, mountPort } = server;
      const connect = { host, port, mountPort, path: exported, versions: [version] };
      return new NfsShare({ name: "nas", connect, kept: [path("kept"), path("kept/deep")] });
    };
    before(async () => {
      server = await startGanesha();
      local = server.directory("data");
      share = shareOf("/srv/data");
    });
    after(async () => {
      await share?.close();
      await server?.[Symbol.asyncDispose]();
    });

    test("connects at its first operation", async () => {
      assert.equal(share.name, "share nas (127.0.0.1:/srv/data)");
      assert.equal((await share.stat(shareRoot)).type, "directory");
    });

    test("makes a directory with all its mode bits, and no second one", async () => {
      const made = await share.makeDirectory(path("made"), 0o2775);
      assert.deepEqual([made.type, made.mode], ["directory", 0o2775]);
      assert.equal((await stat(`${local}/made`)).mode & 0o7777, 0o2775);
      await fails(share.makeDirectory(path("made"), 0o700), "storage-exists");
    });

    test("sets owner and mode, and loses no set-gid bit between them", async () => {
      await share.makeDirectory(path("owned"), 0o755);
      await share.setAttributes(path("owned"), { mode: 0o2770, uid: 7001, gid: 7002 });
      const { mode, uid, gid } = await share.stat(path("owned"));
      assert.deepEqual([mode, uid, gid], [0o2770, 7001, 7002]);
    });

    test("creates whole files of any size, reads them back, and bounds what it reads", async () => {
      const content = Buffer.alloc(3 * 1024 * 1024 + 17, "berth");
      await share.createFile(path("large"), content);
      assert.deepEqual(await readFile(`${local}/large`), content);
      assert.deepEqual(await share.readFile(path("large"), content.length), content);
      await fails(share.createFile(path("large"), content), "storage-exists");
      await fails(share.readFile(path("large"), content.length - 1), "storage-too-large");
      await share.createFile(path("empty"), new Uint8Array());
      assert.equal((await share.readFile(path("empty"), 10)).length, 0);
    });

    test("lists names and types", async () => {
      await mkdir(`${local}/listed/directory`, { recursive: true });
      await writeFile(`${local}/listed/file`, "");
      await symlink("file", `${local}/listed/link`);
      const entries = await Array.fromAsync(share.list(path("listed")));
      assert.deepEqual(entries.map(({ name, type }) => `${name} ${type}`).sort(), [
        "directory directory",
        "file file",
        "link symlink",
      ]);
      await fails(Array.fromAsync(share.list(path("listed/file"))), "storage-not-a-directory");
    });

    test("no symbolic link leads anywhere", async () => {
      await mkdir(`${local}/outside`);
      await symlink("outside", `${local}/trap`);
      assert.equal((await share.stat(path("trap"))).type, "symlink");
      await fails(share.createFile(path("trap/x"), Buffer.from("x")), "storage-not-a-directory");
      await fails(share.readFile(path("trap"), 100), "storage-unsupported");
    });

    test("links, renames, and removes only what the operation is for", async () => {
      await share.createFile(path("one"), Buffer.from("1"));
      await share.link(path("one"), path("two"));
      await fails(share.link(path("one"), path("two")), "storage-exists");
      await share.rename(path("two"), path("made/three"));
      assert.equal((await share.readFile(path("made/three"), 10)).toString(), "1");
      await fails(share.removeDirectory(path("one")), "storage-not-a-directory");
      await fails(share.removeDirectory(path("made")), "storage-not-empty");
      await fails(share.removeFile(path("made")), "storage-unsupported");
      await share.removeFile(path("made/three"));
      await share.removeDirectory(path("made"));
      await fails(share.stat(path("made")), "storage-no-entry");
    });

    test("a kept directory that was replaced by another is found again", async () => {
      await mkdir(`${local}/kept/deep`, { recursive: true });
      await share.createFile(path("kept/deep/first"), Buffer.from("1"));
      await rename(`${local}/kept/deep`, `${local}/kept/old`);
      await share.removeTree(path("kept/old"));
      await mkdir(`${local}/kept/deep`);
      await share.createFile(path("kept/deep/second"), Buffer.from("2"));
      assert.equal((await readFile(`${local}/kept/deep/second`)).toString(), "2");
    });

    test("a kept directory that is missing fails its own step, and none before it", async () => {
      const { address: host, nfsPort: port, mountPort } = server;
      const connect = { host, port, mountPort, path: "/srv/data", versions: [version] };
      await using fresh = new AsyncDisposableStack();
      const other = new NfsShare({ name: "nas", connect, kept: [path("gone"), path("later")] });
      fresh.defer(() => other.close());
      const { done, failure } = await other.inOrder([
        { kind: "createFile", path: path("before"), content: Buffer.from("1") },
        { kind: "link", existing: path("before"), created: path("gone/link") },
        { kind: "removeFile", path: path("before") },
      ]);
      assert.equal(done, 1);
      assert.ok(hasCode(failure, "storage-no-entry"), String(failure));
      await other.removeFile(path("before"));
      const made = await other.inOrder([
        { kind: "makeDirectory", path: path("later"), mode: 0o755 },
        { kind: "makeDirectory", path: path("later/inner"), mode: 0o755 },
      ]);
      assert.deepEqual([made.done, made.failure], [2, undefined]);
    });

    test("many that go to a kept directory find it again when it was replaced by another", async () => {
      await mkdir(`${local}/kept/many`, { recursive: true });
      await share.createFile(path("kept/first"), Buffer.from("1"));
      await rename(`${local}/kept`, `${local}/replaced`);
      await share.removeTree(path("replaced"));
      await mkdir(`${local}/kept`);
      const names = Array.from({ length: 20 }, (_, index) => `many-${index}`);
      await Promise.all(names.map((name) => mkdir(`${local}/${name}`)));
      const moves = [...names, "none"].map((name) => share.rename(path(name), path(`kept/${name}`)));
      const failed = (await Promise.allSettled(moves)).filter(({ status }) => status === "rejected");
      assert.equal(failed.length, 1, "what is not there");
      assert.deepEqual((await readdir(`${local}/kept`)).sort(), [...names].sort());
      await Promise.all(names.map((name) => share.removeDirectory(path(`kept/${name}`))));
    });

    test("removes a tree, and again what is gone", async () => {
      await mkdir(`${local}/tree/a/b/c`, { recursive: true });
      await writeFile(`${local}/tree/a/file`, "12345");
      await symlink("/etc", `${local}/tree/a/link`);
      const { entries } = await share.removeTree(path("tree"));
      assert.equal(entries, 6);
      assert.equal((await share.removeTree(path("tree"))).entries, 0);
      await fails(share.stat(path("tree")), "storage-no-entry");
    });

    test("takes no tree for gone because the kept directory that held it was replaced", async () => {
      const another = shareOf("/srv/data");
      await another.makeDirectory(path("kept"), 0o755).catch(() => {}); // by another test
      await share.createFile(path("kept/known"), Buffer.from("1"));
      await another.removeTree(path("kept"));
      await another.makeDirectory(path("kept"), 0o755);
      await another.createFile(path("kept/tree"), Buffer.from("2"));
      await another.close();
      assert.deepEqual(await share.removeTree(path("kept/tree")), { entries: 1 });
    });

    test("takes no tree for gone because its export is", async () => {
      const none = shareOf("/srv/none");
      await assert.rejects(none.removeTree(path("some/tree")), /127.0.0.1:\/srv\/none/);
      await none.close();
    });

    test("measures a tree, a file with several names once", async () => {
      await mkdir(`${local}/measured/a`, { recursive: true });
      await writeFile(`${local}/measured/a/file`, Buffer.alloc(300_000, "x"));
      await link(`${local}/measured/a/file`, `${local}/measured/again`);
      await symlink("/etc", `${local}/measured/link`);
      const { usedBytes, inodes, approximate } = await share.usage(path("measured"));
      assert.deepEqual([inodes, approximate], [4, false]);
      assert.ok(usedBytes >= 300_000n && usedBytes < 400_000n, `${usedBytes} bytes`);
      await fails(share.usage(path("not-there")), "storage-no-entry");
    });

    test("tells the space of its file system", async () => {
      const space = await share.space(shareRoot);
      assert.equal(space.totalBytes, 1024n ** 3n);
      assert.ok(space.availableBytes > 0n && space.availableInodes > 0n);
    });

    test("a call that was cancelled ends so", async () => {
      await assert.rejects(share.stat(path("large"), AbortSignal.abort()), { code: "cancelled" });
    });
  });
}
