import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Guest } from "../../src/lab/guest/guest.ts";
import { GuestNetwork } from "../../src/lab/guest/network.ts";
import { StorageGuest } from "../../src/lab/guest/storage.ts";
import type { KernelExport } from "../../src/lab/guest/storage-scripts.ts";
import {
  connectNfs,
  type Diagnosis,
  type FileHandle,
  type NfsClient,
  NfsError,
  type NfsVersion,
} from "../../src/nfs/index.ts";

import { copyTree, removeTree, usageOfTree, walkTree } from "../../src/nfs/trees/index.ts";

const everything = new AsyncDisposableStack();
const user = { uid: 1000, gid: 1000, gids: [] };
const block = Buffer.alloc(1024 * 1024, "b");
let storage: StorageGuest;
let node: Guest;

before(async () => {
  const network = everything.use(await GuestNetwork.open());
  const [first, second] = await Promise.all([
    StorageGuest.boot(network),
    Guest.boot(network, { name: "node-1" }),
  ]);
  storage = everything.use(first);
  node = everything.use(second);
  for (const name of ["xfs", "ext4", "btrfs"]) {
    await storage.makeLimitedDirectory(name, "limited", 4 * block.length);
    await storage.check(`chown 1000 /srv/${name}/limited`);
  }
});

after(() => everything.disposeAsync());

async function connect(path: string, version: NfsVersion): Promise<NfsClient & AsyncDisposable> {
  const client = await connectNfs({ host: storage.address, path, versions: [version], mountPort: 20048 });
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

function diagnosedAs(diagnosis: Diagnosis) {
  return (reason: unknown) => {
    assert.ok(reason instanceof NfsError, String(reason));
    assert.equal(reason.diagnosis, diagnosis, reason.message);
    return true;
  };
}

async function fill(client: NfsClient, name: string): Promise<void> {
  const limited = (await client.lookup(client.root.handle, "limited")).handle;
  const { handle } = await client.create(limited, name, {}, undefined, { credentials: user });
  for (let written = 0; written < 8; written++) {
    await client.write(handle, BigInt(written * block.length), block, "file-sync", { credentials: user });
  }
}

for (const version of ["3", "4.1", "4.2"] as const) {
  describe(`NFS ${version} on the kernel's server`, () => {
    const limits = { xfs: "no-space", ext4: "quota", btrfs: "quota" } as const;
    for (const [name, diagnosis] of Object.entries(limits)) {
      test(`a full directory on ${name} is diagnosed as ${diagnosis}`, async () => {
        await using client = await connect(`/srv/${name}`, version);
        await assert.rejects(fill(client, `full-${version}`), diagnosedAs(diagnosis));
        await storage.check(`rm /srv/${name}/limited/full-${version}`);
      });
    }

    test("what is written here is read by the kernel's client, and the other way round", async () => {
      await using client = await connect("/srv/xfs", version);
      const mount = `mkdir -p /mnt/x; mount -t nfs -o vers=${version},nolock ${storage.address}:/srv/xfs /mnt/x`;
      await client.create(client.root.handle, `ours-${version}`, { mode: 0o644 }, Buffer.from("ours"));
      const read = `cat /mnt/x/ours-${version}; echo theirs > /mnt/x/theirs-${version}; umount /mnt/x`;
      assert.equal(await node.check(`${mount}\n${read}`), "ours");
      const { handle } = await client.lookup(client.root.handle, `theirs-${version}`);
      assert.equal(Buffer.from((await client.read(handle, 0n, 100)).data).toString(), "theirs\n");
    });
  });
}

test("the server clones on XFS and copies on ext4", async () => {
  const way = async (name: string, how: "clone" | "copy") => {
    await using client = await connect(`/srv/${name}`, "4.2");
    const source = await client.create(client.root.handle, `${how}-source`, {}, Buffer.from("content"));
    const target = await client.create(client.root.handle, `${how}-target`, {});
    const range = { sourceOffset: 0n, targetOffset: 0n, lengthBytes: 0n };
    await client[how](source.handle, target.handle, range);
    return Buffer.from((await client.read(target.handle, 0n, 100)).data).toString();
  };
  assert.equal(await way("xfs", "clone"), "content");
  assert.equal(await way("ext4", "copy"), "content");
});

test("of clones that share requests each succeeds or fails by itself", async () => {
  await using client = await connect("/srv/xfs", "4.2");
  const { handle: directory } = await client.mkdir(client.root.handle, "clones", {});
  const source = await client.create(directory, "source", {}, Buffer.from("content"));
  // Another generation of the file: what was removed would not do, since the server keeps it open for a while.
  const gone = Buffer.from(source.handle, "latin1");
  gone.writeUInt8(gone.readUInt8(gone.length - 1) ^ 1, gone.length - 1);
  await client.create(directory, "clone-8", {}, Buffer.from("taken"));
  const modified = { seconds: 1_000_000_000, nanoseconds: 7 };
  const whole = { mode: 0o751, uid: 1000, gid: 1001, modified };
  const outcomes = await Promise.allSettled(
    Array.from({ length: 40 }, async (_, index) => {
      const from = index === 20 ? (gone.toString("latin1") as FileHandle) : source.handle;
      const name = `clone-${index}`;
      await client.cloneNew(
        { source: from, directory, name, created: { mode: 0o600 }, whole },
        { path: name },
      );
    }),
  );
  for (const [index, outcome] of outcomes.entries()) {
    const name = `clone-${index}`;
    if (index === 8 || index === 20) {
      assert.ok(
        outcome.status === "rejected" && outcome.reason instanceof NfsError,
        `${name}: ${outcome.status}`,
      );
      const { code, path, outcome: known } = outcome.reason;
      assert.deepEqual(
        [code, path, known],
        [index === 8 ? "storage-exists" : "storage-stale", name, "not-done"],
      );
    } else {
      assert.equal(outcome.status, "fulfilled", name);
      const clone = await client.lookup(directory, name);
      const { mode, uid, gid, modified: set } = clone.attributes;
      assert.deepEqual({ mode, uid, gid, modified: set }, whole);
      assert.equal(Buffer.from((await client.read(clone.handle, 0n, 100)).data).toString(), "content");
    }
  }
  await assert.rejects(client.lookup(directory, "clone-20"), { code: "storage-no-entry" });
});

test("a clone that the file system refuses leaves a file, and says so", async () => {
  await using client = await connect("/srv/ext4", "4.2");
  const { handle: directory } = client.root;
  const { handle: source } = await client.create(directory, "not-cloned", {}, Buffer.from("content"));
  const clone = { source, directory, name: "empty", created: {}, whole: {} };
  await assert.rejects(client.cloneNew(clone), { code: "storage-unsupported", outcome: "done" });
  assert.equal((await client.lookup(directory, "empty")).attributes.sizeBytes, 0n);
});

for (const [name, way] of [
  ["xfs", "clone"],
  ["btrfs", "clone"],
  ["ext4", "copy"],
] as const) {
  test(`a copy of a tree on ${name} is made by ${way}, with names, owners, times and attributes`, async () => {
    await storage.check(`mkdir -p /srv/${name}/whole/below; cd /srv/${name}/whole
for i in $(seq 50); do echo $i > below/file-$i; chmod 64$((i % 8)) below/file-$i; chown $i:7 below/file-$i; done
ln below/file-3 linked; : > below/empty; touch -d @1000000000.000000005 below/* below`);
    await using client = await connect(`/srv/${name}`, "4.2");
    const source = await client.lookup(client.root.handle, "whole");
    const { handle } = await client.resolve(source.handle, ["below", "file-9"]);
    if (client.features.xattrs) await client.setXattr(handle, "colour", Buffer.from("blue"));
    const place = { client, directory: client.root.handle, name: "whole-copy" };
    const { ways } = await copyTree(client, source, place);
    assert.deepEqual(ways, { clone: 0, copy: 0, [way]: 50, "read-write": 1, kept: 0 });
    const list = (tree: string) =>
      `(cd /srv/${name}/${tree}; find . -type f -printf '%p %m %U:%G %T@ %n %s\\n' | sort)`;
    assert.equal(await storage.check(list("whole-copy")), await storage.check(list("whole")));
    await storage.check(`diff -r /srv/${name}/whole /srv/${name}/whole-copy`);
    const copy = await client.resolve(client.root.handle, ["whole-copy", "below", "file-9"]);
    if (client.features.xattrs) {
      assert.equal(Buffer.from(await client.getXattr(copy.handle, "colour")).toString(), "blue");
    }
    const again = await copyTree(client, source, place, { resume: true });
    assert.equal(again.ways.kept, 51);
  });
}

test("progress is told while the server copies one large file", async () => {
  await using client = await connect("/srv/ext4", "4.2");
  await storage.check("head -c 20M /dev/urandom > /srv/ext4/large");
  const source = await client.lookup(client.root.handle, "large");
  const place = { client, directory: client.root.handle, name: "large-copy" };
  const told: bigint[] = [];
  const { ways } = await copyTree(client, source, place, {
    onProgress: ({ sizeBytes }) => told.push(sizeBytes),
  });
  assert.equal(ways.copy, 1);
  assert.ok(told.length > 3, told.join());
  assert.equal(told.at(-1), source.attributes.sizeBytes);
  await storage.check("cmp /srv/ext4/large /srv/ext4/large-copy; rm /srv/ext4/large /srv/ext4/large-copy");
});

test("data and holes are told apart, and a copy of a sparse file on the server keeps the holes", async () => {
  await using client = await connect("/srv/ext4", "4.2");
  await storage.check(
    "cd /srv/ext4; truncate -s 64M sparse; printf middle | dd of=sparse bs=1M seek=20 conv=notrunc",
  );
  const source = await client.lookup(client.root.handle, "sparse");
  const middle = 20n * 1024n * 1024n;
  assert.equal(await client.seek(source.handle, 0n, "data"), middle);
  assert.equal(await client.seek(source.handle, 0n, "hole"), 0n);
  assert.ok(((await client.seek(source.handle, middle, "hole")) ?? 0n) > middle);
  assert.equal(await client.seek(source.handle, 2n * middle, "data"), undefined);
  const place = { client, directory: client.root.handle, name: "sparse-copy" };
  const { ways } = await copyTree(client, source, place);
  assert.deepEqual(ways, { clone: 0, copy: 1, "read-write": 0, kept: 0 });
  await storage.check("cd /srv/ext4; cmp sparse sparse-copy; test $(du -k sparse-copy | cut -f1) -lt 1024");
});

for (const version of ["3", "4.2"] as const) {
  test(`over NFS ${version} work on a tree stops at another file system that is mounted in it`, async () => {
    await storage.check(`mkdir -p /srv/xfs/tree/nested /srv/xfs/tree/own
echo precious > /srv/ext4/precious
mount --bind /srv/ext4 /mnt/exported/srv/xfs/tree/nested`);
    await storage.setExports([{ path: "/srv/xfs", options: ["crossmnt"] }, { path: "/srv/ext4" }]);
    await using client = await connect("/srv/xfs", version);
    const source = await client.lookup(client.root.handle, "tree");
    const inside = await client.resolve(source.handle, ["nested", "precious"]);
    assert.equal(inside.attributes.sizeBytes, 9n, "the server does lead into it");
    const usage = await usageOfTree(client, source);
    assert.deepEqual([usage.entries, usage.boundaries], [3, 1]);
    const paths: string[] = [];
    for await (const { path } of walkTree(client, source)) paths.push(path);
    assert.ok(!paths.includes("nested"), paths.join());
    const failures: unknown[] = [];
    const onFailure = (failure: unknown) => failures.push(failure);
    const place = { client, directory: client.root.handle, name: `tree-copy-${version}` };
    assert.equal((await copyTree(client, source, place, { onFailure })).boundaries, 1);
    await assert.rejects(removeTree(client, client.root.handle, "tree"), { code: "storage-busy" });
    assert.equal(
      await storage.check("cat /srv/ext4/precious; umount -l /mnt/exported/srv/xfs/tree/nested"),
      "precious\n",
    );
    assert.equal(failures.length, 1);
  });
}

const refusals: readonly { readonly what: string; readonly option: string; readonly diagnosis: Diagnosis }[] =
  [
    { what: "squashes root", option: "root_squash", diagnosis: "root-squash" },
    { what: "is read-only", option: "ro", diagnosis: "read-only" },
  ];

for (const { what, option, diagnosis } of refusals) {
  test(`an export that ${what} is diagnosed as ${diagnosis}`, async () => {
    const changed: KernelExport = { path: "/srv/xfs", options: [option] };
    await storage.setExports([changed]);
    await using client = await connect("/srv/xfs", "4.2");
    await assert.rejects(client.mkdir(client.root.handle, "refused", {}), diagnosedAs(diagnosis));
  });
}
