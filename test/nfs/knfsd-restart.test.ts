/** The kernel's server restarts, is in its grace period, or cannot be reached: what a client that was connected meets. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { GuestNetwork } from "../../src/lab/guest/network.ts";
import { StorageGuest } from "../../src/lab/guest/storage.ts";
import { connectNfs, type NfsVersion } from "../../src/nfs/index.ts";
import { refusal } from "./refusal.ts";

const everything = new AsyncDisposableStack();
let storage: StorageGuest;

before(async () => {
  const network = everything.use(await GuestNetwork.open());
  const fileSystems = [{ name: "ext4", type: "ext4" }] as const;
  // Longer than the test's calls wait: only what ends the grace period lets them through.
  storage = everything.use(await StorageGuest.boot(network, { fileSystems, leaseSeconds: 90 }));
  await storage.endGrace();
});

after(() => everything.disposeAsync());

async function connect(version: NfsVersion, timeoutMs = 60_000) {
  const place = { host: storage.address, path: "/srv/ext4", mountPort: 20048 };
  const client = await connectNfs({ ...place, versions: [version], timeoutMs });
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

/** The server's list of clients has whole seconds: whoever came in the second of its start has come back (nfsdcltrack(8)). */
const nextSecond = "second=$(date +%s); until [ $(date +%s) -gt $second ]; do sleep 0.05; done";

const filesOf = async (name: string) => await storage.check(`cd /srv/ext4/${name}; grep . *`);

for (const version of ["4.1", "4.2"] as const) {
  test(`NFS ${version}: what restarts is met in its grace period, and goes on after it as if nothing had been`, async () => {
    await using client = await connect(version);
    const { handle } = await client.mkdir(client.root.handle, `v${version}`, { mode: 0o755 });
    await client.create(handle, "before", {}, Buffer.from("one"));
    await using other = await connect(version);
    await other.create(handle, "of another", {}, Buffer.from("three"));
    await storage.check(nextSecond);
    await storage.stopServer();
    await storage.startServer(); // it waits for all that it knew, and the other stays away
    const early = await refusal(client.create(handle, "early", {}, Buffer.from("x"), { timeoutMs: 3000 }));
    assert.deepEqual([early.diagnosis, early.outcome], ["grace", "not-done"], early.message);
    const made = await client.mkdir(handle, "no file is opened for it", {});
    assert.equal(made.attributes.type, "directory");
    const waiting = client.create(handle, "after", {}, Buffer.from("two"));
    await storage.endGrace();
    await waiting;
    await client.rmdir(handle, "no file is opened for it");
    assert.equal(await filesOf(`v${version}`), "after:two\nbefore:one\nof another:three\n");
  });
}

describe("NFS 3", () => {
  test("has no grace period for files: what restarts goes on at once", async () => {
    await using client = await connect("3");
    const { handle } = await client.mkdir(client.root.handle, "v3", { mode: 0o755 });
    await client.create(handle, "before", {}, Buffer.from("one"));
    await storage.stopServer();
    const waiting = client.create(handle, "after", {}, Buffer.from("two"));
    await storage.startServer();
    await waiting;
    assert.equal(await filesOf("v3"), "after:two\nbefore:one\n");
    await storage.endGrace();
  });
});

test("a machine that takes no packet is told as that, whatever is asked of it", async () => {
  await using client = await connect("4.2");
  await storage.guest.pause();
  try {
    const called = await refusal(client.getattr(client.root.handle, { timeoutMs: 500 }));
    assert.deepEqual([called.diagnosis, called.outcome], ["timeout", "not-done"]);
    assert.match(called.message, /GETATTR failed: no answer from [^ ]+ in time, the server is silent$/);
    for (const version of ["3", "4.2"] as const) {
      const refused = await refusal(connect(version, 500));
      assert.deepEqual([refused.diagnosis, refused.code], ["timeout", "storage-unavailable"]);
      assert.match(
        refused.message,
        /no answer from [^ ]+ within \d+ ms: check the address, the route and any firewall$/,
      );
    }
  } finally {
    await storage.guest.resume();
  }
  assert.equal((await client.getattr(client.root.handle)).type, "directory");
});
