/** Why the kernel's server refuses, told to a person: each cause is set up on a real server. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { GuestNetwork } from "../../src/lab/guest/network.ts";
import { StorageGuest } from "../../src/lab/guest/storage.ts";
import {
  type ConnectOptions,
  connectNfs,
  type Diagnosis,
  explainRefusal,
  listExports,
  NfsError,
  type NfsVersion,
} from "../../src/nfs/index.ts";
import { refusal } from "./refusal.ts";

const everything = new AsyncDisposableStack();
let storage: StorageGuest;
let ourAddress: string;

before(async () => {
  const network = everything.use(await GuestNetwork.open());
  ourAddress = network.hostAddress;
  const fileSystems = ["open", "secure", "squashed", "elsewhere", "listed", "readonly", "kerberos"];
  storage = everything.use(
    await StorageGuest.boot(network, {
      fileSystems: fileSystems.map((name) => ({ name, type: "ext4", sizeBytes: 2 ** 24 })),
      exports: [
        { path: "/srv/open" },
        { path: "/srv/secure", options: ["secure"] },
        { path: "/srv/squashed", options: ["root_squash"] },
        { path: "/srv/elsewhere", clients: "192.0.2.0/24" },
        { path: "/srv/listed", clients: "10.0.0.0/8" },
        { path: "/srv/readonly", options: ["ro"] },
        { path: "/srv/kerberos", options: ["sec=krb5"] },
      ],
    }),
  );
});

after(() => everything.disposeAsync());

function place(path: string, version: NfsVersion): ConnectOptions {
  return { host: storage.address, path, versions: [version], mountPort: 20048, timeoutMs: 5000 };
}

async function connect(path: string, version: NfsVersion, more: Partial<ConnectOptions> = {}) {
  const client = await connectNfs({ ...place(path, version), ...more });
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

function assertTold(error: NfsError, diagnosis: Diagnosis, words: RegExp): void {
  assert.equal(error.diagnosis, diagnosis, error.message);
  assert.match(error.message, words);
}

for (const version of ["3", "4.1", "4.2"] as const) {
  describe(`NFS ${version} on the kernel's server`, () => {
    test("a source port above 1023 on a secure export is named, and auto gets over it", async () => {
      const error = await refusal(connect("/srv/secure", version, { sourcePort: "any" }));
      assertTold(error, "secure-port", /source port below 1024 .*sourcePort: reserved/);
      await using client = await connect("/srv/secure", version);
      assert.equal(client.root.attributes.type, "directory");
    });

    test("an address that the export does not list is named, with those that it does", async () => {
      const options = place("/srv/elsewhere", version);
      const error = await refusal(connectNfs(options));
      const diagnosis = version === "3" ? "not-exported" : "no-such-export"; // v4 does not show it
      assertTold(error, diagnosis, version === "3" ? new RegExp(`address \\(${ourAddress}\\)`) : /address/);
      const explained = await explainRefusal(error, options);
      assert.ok(explained instanceof NfsError);
      assertTold(explained, "not-exported", /exports \/srv\/elsewhere to 192\.0\.2\.0\/24/);
    });

    test("a path that is missing in an export that lists us is not told as one that does not", async () => {
      const options = place("/srv/listed/missing", version);
      const error = await explainRefusal(await refusal(connectNfs(options)), options);
      assert.ok(error instanceof NfsError);
      assert.match(
        error.message,
        /exports \/srv\/listed to 10\.[^:]*: it admits this machine, so what is missing/,
      );
      assert.equal(/see that this machine's address/.test(error.message), false);
    });

    test("a path that is not exported is named, with those that are", async () => {
      const options = place("/srv/missing", version);
      const error = await refusal(connectNfs(options));
      assertTold(error, version === "3" ? "not-exported" : "no-such-export", /check the path|no such path/);
      const explained = await explainRefusal(error, options);
      assert.ok(explained instanceof NfsError);
      assert.match(explained.message, /does not list this path; it exports .*\/srv\/open to everybody/);
    });

    test("root_squash is named, and acting as the owner gets over it", async () => {
      await storage.check("chown 1000:1000 /srv/squashed; chmod 755 /srv/squashed");
      await using client = await connect("/srv/squashed", version);
      const error = await refusal(client.mkdir(client.root.handle, `root-${version}`, {}));
      assertTold(error, "root-squash", /root_squash.*act as the owner/);
      const credentials = { uid: 1000, gid: 1000, gids: [] };
      const made = await client.mkdir(client.root.handle, `owner-${version}`, {}, { credentials });
      assert.equal(made.attributes.uid, 1000);
    });

    test("a read-only export is named", async () => {
      await using client = await connect("/srv/readonly", version);
      const error = await refusal(client.mkdir(client.root.handle, "x", {}));
      assertTold(error, "read-only", /read-only: export it "rw"/);
    });

    test("Kerberos is named", async () => {
      const error = await refusal(connect("/srv/kerberos", version));
      assertTold(error, "kerberos", /demands Kerberos.*sec=sys/);
    });

    test("a removed file is stale", async () => {
      await using client = await connect("/srv/open", version);
      const { handle } = await client.create(client.root.handle, `gone-${version}`, {});
      await storage.check(`rm /srv/open/gone-${version}`);
      assertTold(await refusal(client.getattr(handle)), "stale", /was removed.*look it up again/);
    });

    test("a full file system is named", async () => {
      await using client = await connect("/srv/open", version);
      await storage.check("cat /dev/zero > /srv/open/filler 2>/dev/null || true");
      const error = await refusal(
        client.create(client.root.handle, `full-${version}`, {}, Buffer.alloc(65_536)),
      );
      await storage.check("rm /srv/open/filler");
      assertTold(error, "no-space", /is full: free space/);
    });
  });
}

test("the exports are listed with whom they are for", async () => {
  const exports = await listExports({ host: storage.address, mountPort: 20048 });
  const clients = new Map(exports.map(({ path, clients }) => [path, clients]));
  assert.deepEqual(clients.get("/srv/elsewhere"), ["192.0.2.0/24"]);
  assert.deepEqual(clients.get("/srv/open"), ["*"]);
});

test("rpcbind tells where MOUNT and NFS are", async () => {
  const exports = await listExports({ host: storage.address });
  assert.ok(exports.some(({ path }) => path === "/srv/open"));
  const client = await connectNfs({ host: storage.address, path: "/srv/open", versions: ["3"] });
  assert.equal(client.features.version, "3");
  await client.close();
});

test("a version that the server does not speak is named", async () => {
  await storage.stopServer();
  await storage.check("echo '-4 -4.1 -4.2' > /proc/fs/nfsd/versions");
  await storage.check("rpc.nfsd -N 4 4");
  const error = await refusal(connect("/srv/open", "4.1"));
  assertTold(error, "wrong-version", /does not offer NFS 4\.1: choose another version/);
  const client = await connectNfs({ host: storage.address, path: "/srv/open", mountPort: 20048 });
  assert.equal(client.features.version, "3");
  await client.close();
});
