import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { hasCode, type StorageCode } from "../../src/core/errors.ts";
import {
  connectNfs,
  type EntryDetail,
  type FileName,
  type NfsClient,
  type NfsVersion,
} from "../../src/nfs/index.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

async function connect(server: Ganesha, version: NfsVersion, name = "data"): Promise<NfsClient> {
  const { address: host, nfsPort: port, mountPort } = server;
  return await connectNfs({ host, port, mountPort, path: `/srv/${name}`, versions: [version] });
}

async function namesOf(client: NfsClient, directory = client.root.handle): Promise<FileName[]> {
  const names: FileName[] = [];
  for await (const page of client.readdir(directory)) names.push(...page.entries.map(({ name }) => name));
  return names.sort();
}

for (const version of ["3", "4.1"] as const) {
  describe(`NFS ${version} on Ganesha`, () => {
    let server: Ganesha;
    let client: NfsClient;
    before(async () => {
      server = await startGanesha();
      client = await connect(server, version);
    });
    after(async () => {
      await client?.close();
      await server?.[Symbol.asyncDispose]();
    });

    test("the root is the export's directory", async () => {
      assert.equal(client.root.attributes.type, "directory");
      assert.equal(client.features.version, version);
      const { ino } = await stat(server.directory("data"), { bigint: true });
      assert.equal(client.root.attributes.fileid, ino);
    });

    test("a made directory has its mode and owner at once", async () => {
      const made = await client.mkdir(client.root.handle, "made", { mode: 0o750, uid: 1000, gid: 2000 });
      assert.equal(made.attributes.type, "directory");
      const local = await stat(`${server.directory("data")}/made`);
      assert.deepEqual([local.mode & 0o7777, local.uid, local.gid], [0o750, 1000, 2000]);
      await assert.rejects(client.mkdir(client.root.handle, "made", {}), (error) =>
        hasCode(error, "storage-exists"),
      );
    });

    test("a call acts with the groups that it names, and no others", async () => {
      const directory = await client.mkdir(client.root.handle, "of-a-group", { mode: 0o770, gid: 5000 });
      await chmod(`${server.directory("data")}/of-a-group`, 0o770);
      const user = { uid: 1000, gid: 1000, gids: [] };
      const make = (name: string, gids: readonly number[]) =>
        client.mkdir(directory.handle, name, {}, { credentials: { ...user, gids } });
      await assert.rejects(make("without", [4999]), (error) => hasCode(error, "storage-access"));
      await make("with", [4999, 5000]);
      assert.deepEqual(await namesOf(client, directory.handle), ["with"]);
    });

    test("a new file is whole, and made only once", async () => {
      const content = Buffer.alloc(300_000, "berth");
      const file = await client.create(client.root.handle, "whole", { mode: 0o600 }, content);
      assert.equal(file.attributes.sizeBytes, 300_000n);
      assert.deepEqual(await readFile(`${server.directory("data")}/whole`), content);
      await assert.rejects(client.create(client.root.handle, "whole", {}), (error) =>
        hasCode(error, "storage-exists"),
      );
    });

    test("what is written at an offset is read there", async () => {
      const { handle } = await client.create(client.root.handle, "sparse", { mode: 0o600 });
      const written = await client.write(handle, 1_000_000n, Buffer.from("tail"), "unstable");
      assert.equal(written.writtenBytes, 4);
      assert.deepEqual(await client.commit(handle), written.verifier);
      const { data, eof } = await client.read(handle, 999_998n, 100);
      assert.deepEqual([data, eof], [Buffer.from("\0\0tail"), true]);
    });

    test("bytes are taken where they came in, and a taker's failure is its own", async () => {
      const { handle } = await client.create(client.root.handle, "in-place", {}, Buffer.from("0123456789"));
      const full = new Error("no room for them");
      const take = () => {
        throw full;
      };
      await assert.rejects(client.readInPlace(handle, 0n, 10, take), (error) => error === full);
      const taken = await client.readInPlace(handle, 2n, 3, (bytes) => Buffer.from(bytes).toString());
      assert.deepEqual(taken, { data: "234", eof: false });
    });

    test("a directory tells of its entries as much as is asked for", async () => {
      const { handle: directory } = await client.mkdir(client.root.handle, "listed", {});
      await client.mkdir(directory, "inner", {});
      await client.create(directory, "file", {}, Buffer.from("12345"));
      const told = async (detail: EntryDetail) => {
        const [page] = await Array.fromAsync(client.readdir(directory, { detail }));
        const entries = page?.entries.toSorted((one, other) => (one.name < other.name ? -1 : 1)) ?? [];
        return entries.map((entry) => [entry.name, entry.attributes?.sizeBytes !== undefined, entry.handle]);
      };
      const [file, inner] = await Promise.all(
        ["file", "inner"].map(async (name) => (await client.lookup(directory, name)).handle),
      );
      assert.deepEqual(await told("all"), [
        ["file", true, file],
        ["inner", true, inner],
      ]);
      assert.deepEqual(await told("brief"), [
        ["file", true, undefined],
        ["inner", true, inner],
      ]);
      assert.deepEqual(await told("names"), [
        ["file", false, undefined],
        ["inner", false, undefined],
      ]);
    });

    test("attributes are set and told", async () => {
      const { handle } = await client.create(client.root.handle, "described", { mode: 0o600 });
      const modified = { seconds: 1_000_000, nanoseconds: 5 };
      await client.setattr(handle, { mode: 0o711, uid: 7, gid: 8, sizeBytes: 77n, modified });
      const attributes = await client.getattr(handle);
      assert.deepEqual(
        [attributes.mode, attributes.uid, attributes.gid, attributes.sizeBytes, attributes.links],
        [0o711, 7, 8, 77n, 1],
      );
      await client.setattr(handle, { modified, accessed: "now" });
      assert.deepEqual((await client.getattr(handle)).modified, modified);
      await client.setattr(handle, { mode: 0o4711 });
      assert.equal((await client.getattr(handle)).mode, 0o4711);
    });

    test("links, symbolic links and renames do what they say", async () => {
      const directory = (await client.mkdir(client.root.handle, "links", {})).handle;
      const file = (await client.create(directory, "file", {}, Buffer.from("x"))).handle;
      await client.link(file, directory, "second");
      assert.equal((await client.getattr(file)).links, 2);
      await assert.rejects(client.link(file, directory, "second"), (error) =>
        hasCode(error, "storage-exists"),
      );
      const target = await client.symlink(directory, "pointer", "../no where/ü", {});
      assert.equal(target.attributes.type, "symlink");
      assert.equal(await client.readlink(target.handle), "../no where/ü");
      await client.rename(directory, "second", client.root.handle, "moved");
      await client.remove(client.root.handle, "moved");
      assert.deepEqual(await namesOf(client, directory), ["file", "pointer"]);
    });

    test("removeFile and rmdir each remove nothing of the other's kind", async () => {
      const { handle } = client.root;
      await client.mkdir(handle, "kind-directory", {});
      await client.create(handle, "kind-file", {});
      await client.symlink(handle, "kind-link", "kind-directory", {});
      const refused = (work: Promise<void>, code: StorageCode) =>
        assert.rejects(work, (error) => hasCode(error, code));
      await refused(client.removeFile(handle, "kind-directory"), "storage-unsupported");
      await refused(client.removeFile(handle, "kind-gone"), "storage-no-entry");
      await refused(client.rmdir(handle, "kind-file"), "storage-not-a-directory");
      await refused(client.rmdir(handle, "kind-link"), "storage-not-a-directory");
      for (const name of ["kind-file", "kind-link"]) await client.removeFile(handle, name);
      const left = (await namesOf(client, handle)).filter((name) => String(name).startsWith("kind-"));
      assert.deepEqual(left, ["kind-directory"]);
    });

    test("nothing goes through a symbolic link", async () => {
      await mkdir(`${server.directory("data")}/behind`);
      await symlink("behind", `${server.directory("data")}/pointer`);
      await assert.rejects(client.resolve(client.root.handle, ["pointer", "x"]), (error) =>
        hasCode(error, "storage-not-a-directory"),
      );
    });

    test("a path of 100 components is resolved", async () => {
      const names = Array.from({ length: 100 }, (_, depth) => `d${depth}`);
      await mkdir(`${server.directory("data")}/${names.join("/")}`, { recursive: true });
      const found = await client.resolve(client.root.handle, names);
      const { ino } = await stat(`${server.directory("data")}/${names.join("/")}`, { bigint: true });
      assert.equal(found.attributes.fileid, ino);
    });

    test("a large directory is listed once over, then removed", async () => {
      const directory = (await client.mkdir(client.root.handle, "large", {})).handle;
      const names = Array.from({ length: 3000 }, (_, index) => `entry-${String(index).padStart(4, "0")}`);
      await Promise.all(names.map((name) => client.create(directory, name, { mode: 0o600 })));
      assert.deepEqual(await namesOf(client, directory), names);
      const failures = await client.removeMany(directory, ["missing", ...names]);
      assert.deepEqual([...failures.values()], []);
      await client.rmdir(client.root.handle, "large");
      assert.ok(!(await readdir(server.directory("data"))).includes("large"));
    });

    test("removal of many tells which names could not be removed", async () => {
      const directory = (await client.mkdir(client.root.handle, "partly", {})).handle;
      await mkdir(`${server.directory("data")}/partly/full/child`, { recursive: true });
      for (const name of ["a", "z"]) await client.create(directory, name, {});
      const failures = await client.removeMany(directory, ["a", "full", "z"]);
      assert.deepEqual([...failures.keys()], [1]);
      assert.deepEqual(await namesOf(client, directory), ["full"]);
    });

    test("many are renamed in order, and those that could not be are told apart", async () => {
      const [from, to] = await Promise.all(
        ["from", "to"].map((name) => client.mkdir(client.root.handle, name, {})),
      );
      assert.ok(from !== undefined && to !== undefined);
      const names = Array.from({ length: 300 }, (_, index) => `entry-${String(index).padStart(3, "0")}`);
      await Promise.all(names.map((name) => client.mkdir(from.handle, name, {})));
      await mkdir(`${server.directory("data")}/to/full/child`, { recursive: true });
      const renaming = (name: string, other = name) => ({
        from: { directory: from.handle, way: [], name },
        to: { directory: to.handle, way: [], name: other },
      });
      const renamings = names.map((name) => renaming(name));
      renamings.splice(200, 0, renaming("gone"), renaming("entry-200", "full"));
      renamings.push(renaming("gone", "last"));
      const failures = await client.renameMany(renamings);
      assert.deepEqual([...failures.keys()], [200, 201, 302]);
      assert.ok(
        hasCode(failures.get(200), "storage-no-entry") && hasCode(failures.get(201), "storage-not-empty"),
      );
      assert.deepEqual(await namesOf(client, from.handle), []);
      assert.deepEqual(await namesOf(client, to.handle), [...names, "full"]);
    });

    test("a renaming finds its way to both directories, and none through what is no directory", async () => {
      const root = client.root.handle;
      const directory = `${server.directory("data")}/ways`;
      await mkdir(`${directory}/source/deep`, { recursive: true });
      await mkdir(`${directory}/target/deep`, { recursive: true });
      await symlink("target", `${directory}/link`);
      for (const name of ["a", "b", "c", "d", "e"]) await writeFile(`${directory}/source/deep/${name}`, name);
      const renaming = (way: readonly string[], name: string) => ({
        from: { directory: root, way: ["ways", "source", "deep"], name },
        to: { directory: root, way: ["ways", ...way], name },
      });
      const deep = ["target", "deep"];
      const failures = await client.renameMany([
        renaming(deep, "a"),
        renaming(["link", "deep"], "b"),
        renaming(["link"], "b"),
        renaming(["source", "deep", "c"], "b"),
        renaming(["gone"], "b"),
        renaming(
          Array.from({ length: 300 }, () => "gone"),
          "b",
        ),
        renaming([], "d"),
        renaming(deep, "e"),
      ]);
      for (const index of [1, 2, 3]) assert.ok(hasCode(failures.get(index), "storage-not-a-directory"));
      for (const index of [4, 5]) assert.ok(hasCode(failures.get(index), "storage-no-entry"));
      assert.equal(failures.size, 5);
      assert.deepEqual(await readdir(`${directory}/source/deep`), ["b", "c"]);
      assert.deepEqual(await readdir(`${directory}/target/deep`), ["a", "e"]);
      assert.deepEqual((await readdir(directory)).sort(), ["d", "link", "source", "target"]);
    });

    test("a failed renaming is named by its own path", async () => {
      const directory = client.root.handle;
      const failures = await client.renameMany([
        {
          from: { directory, way: [], name: "gone" },
          to: { directory, way: [], name: "there" },
          path: "a/gone",
        },
      ]);
      assert.match(String(failures.get(0)), /a\/gone/);
    });

    test("a name that is no UTF-8 comes back as bytes, and can be removed by them", async () => {
      const name = Buffer.from([0x6e, 0xff]);
      const directory = (await client.mkdir(client.root.handle, "bytes", {})).handle;
      await writeFile(Buffer.concat([Buffer.from(`${server.directory("data")}/bytes/`), name]), "");
      assert.deepEqual(await namesOf(client, directory), [name]);
      await client.remove(directory, name);
      assert.deepEqual(await namesOf(client, directory), []);
    });

    test("space and inodes are those of the file system", async () => {
      const space = await client.fsstat(client.root.handle);
      assert.equal(space.totalBytes, 1024n ** 3n);
      assert.ok(space.availableBytes > 0n && space.availableBytes <= space.totalBytes);
      assert.ok(space.totalInodes > 0n);
    });

    test("what is not there says so, with path, operation and status", async () => {
      await assert.rejects(client.lookup(client.root.handle, "nowhere", { path: "some/nowhere" }), {
        code: "storage-no-entry",
        operation: "LOOKUP",
        status: "NOENT",
        path: "some/nowhere",
        outcome: "not-done",
      });
    });

    test("clone is refused as unsupported where the version has none", async () => {
      const { handle } = await client.create(client.root.handle, "source", {});
      const range = { sourceOffset: 0n, targetOffset: 0n, lengthBytes: 0n };
      await assert.rejects(client.clone(handle, handle, range), { code: "storage-unsupported" });
    });
  });
}

test("a server is found by its IPv6 address", async () => {
  await using server = await startGanesha({ address: "::1" });
  const { nfsPort: port, mountPort } = server;
  for (const version of ["3", "4.1"] as const) {
    const client = await connectNfs({ host: "::1", port, mountPort, path: "/srv/data", versions: [version] });
    assert.equal(client.name, "[::1]:/srv/data");
    await client.close();
  }
});
