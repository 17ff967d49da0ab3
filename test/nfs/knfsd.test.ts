import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { GuestNetwork } from "../../src/lab/guest/network.ts";
import { StorageGuest } from "../../src/lab/guest/storage.ts";
import {
  type ConnectOptions,
  connectNfs,
  type NfsClient,
  NfsError,
  type NfsVersion,
} from "../../src/nfs/index.ts";

const versions = ["3", "4.1", "4.2"] as const;
const whole = { sourceOffset: 0n, targetOffset: 0n, lengthBytes: 0n };

async function refusal(work: Promise<unknown>): Promise<NfsError> {
  const error = await work.then(
    () => assert.fail("it was not refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof NfsError, String(error));
  return error;
}

describe("Linux's own NFS server", () => {
  const everything = new AsyncDisposableStack();
  let storage: StorageGuest;

  before(async () => {
    const network = everything.use(await GuestNetwork.open());
    storage = everything.use(await StorageGuest.boot(network, { leaseSeconds: 10 }));
  });
  after(() => everything.disposeAsync());

  async function connect(
    path: string,
    version: NfsVersion,
    more: Partial<ConnectOptions> = {},
  ): Promise<NfsClient & AsyncDisposable> {
    const client = await connectNfs({ host: storage.address, path, versions: [version], ...more });
    return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
  }

  for (const version of versions) {
    test(`${version}: what is made here is there, mode, owner and content`, async () => {
      await using client = await connect("/srv/xfs", version);
      const { handle } = await client.mkdir(client.root.handle, `made${version}`, {
        mode: 0o2750,
        uid: 7,
        gid: 8,
      });
      await client.create(handle, "file", { mode: 0o640 }, Buffer.from("hello"));
      await client.symlink(handle, "link", "file", {});
      const seen = await storage.check(
        `cd /srv/xfs/made${version}; stat -c '%a %u %g' .; cat link; stat -c %a file`,
      );
      assert.equal(seen.trim(), "750 7 8\nhello640");
    });

    test(`${version}: a directory of 2,000 is listed with attributes and handles, and emptied`, async () => {
      await storage.check(
        `mkdir /srv/xfs/many${version}; cd /srv/xfs/many${version}; seq 2000 | xargs touch`,
      );
      await using client = await connect("/srv/xfs", version);
      const { handle } = await client.lookup(client.root.handle, `many${version}`);
      const names: string[] = [];
      for await (const { entries } of client.readdir(handle)) {
        for (const { name, attributes, handle: own } of entries) {
          assert.ok(attributes?.type === "file" && own !== undefined);
          names.push(String(name));
        }
      }
      assert.equal(new Set(names).size, 2000);
      assert.equal((await client.removeMany(handle, names)).size, 0);
      await client.rmdir(client.root.handle, `many${version}`);
    });

    test(`${version}: a "secure" export is named, and "auto" gets over it`, async () => {
      await storage.setExports([{ path: "/srv/ext4", options: ["secure"] }, { path: "/srv/xfs" }]);
      const error = await refusal(connect("/srv/ext4", version, { sourcePort: "any" }));
      assert.equal(error.diagnosis, "secure-port", error.message);
      await using client = await connect("/srv/ext4", version);
      assert.equal(client.root.attributes.type, "directory");
    });

    test(`${version}: root_squash is named`, async () => {
      await storage.setExports([{ path: "/srv/ext4", options: ["root_squash"] }, { path: "/srv/xfs" }]);
      await using client = await connect("/srv/ext4", version);
      const error = await refusal(client.mkdir(client.root.handle, "x", {}));
      assert.equal(error.diagnosis, "root-squash", error.message);
    });
  }

  test("CLONE shares a file on XFS, and says where it cannot", async () => {
    await using client = await connect("/srv/xfs", "4.2");
    assert.ok(client.features.serverSideCopy);
    await storage.check("head -c 8388608 /dev/urandom > /srv/xfs/source; sync");
    const source = await client.lookup(client.root.handle, "source");
    const target = await client.create(client.root.handle, "cloned", { mode: 0o600 });
    await client.clone(source.handle, target.handle, whole);
    await storage.check("cmp /srv/xfs/source /srv/xfs/cloned");
    await using ext4 = await connect("/srv/ext4", "4.2");
    await storage.check(
      "rm -f /srv/ext4/[ab]; echo x > /srv/ext4/a; echo > /srv/ext4/b; chmod 666 /srv/ext4/[ab]",
    );
    const [a, b] = await Promise.all(["a", "b"].map((name) => ext4.lookup(ext4.root.handle, name)));
    assert.ok(a !== undefined && b !== undefined);
    assert.equal((await refusal(ext4.clone(a.handle, b.handle, whole))).code, "storage-unsupported");
  });

  test("COPY goes on until all is there", async () => {
    await using client = await connect("/srv/xfs", "4.2");
    await storage.check("head -c 20000000 /dev/urandom > /srv/xfs/long; sync");
    const source = await client.lookup(client.root.handle, "long");
    const target = await client.create(client.root.handle, "copied", { mode: 0o600 });
    assert.equal((await client.copy(source.handle, target.handle, whole)).copiedBytes, 20_000_000n);
    await storage.check("cmp /srv/xfs/long /srv/xfs/copied");
  });

  test("extended attributes are set, told and listed", async () => {
    await using client = await connect("/srv/xfs", "4.2");
    assert.ok(client.features.xattrs);
    const { handle } = await client.create(client.root.handle, "described", {});
    await client.setXattr(handle, "berth", Buffer.from("value"));
    assert.deepEqual(await client.getXattr(handle, "berth"), Buffer.from("value"));
    assert.deepEqual(await client.listXattrs(handle), ["berth"]);
  });

  for (const version of versions) {
    test(`${version}: a server that lost power is found again, with its grace period waited for`, async () => {
      await using client = await connect("/srv/xfs", version, { timeoutMs: 60_000 });
      await storage.check("sync -f /srv/xfs");
      await Promise.all([storage.crash(), client.getattr(client.root.handle).catch(() => {})]);
      const made = await client.create(client.root.handle, `after${version}`, {}, Buffer.from("x"));
      assert.equal(made.attributes.sizeBytes, 1n);
    });
  }
});
