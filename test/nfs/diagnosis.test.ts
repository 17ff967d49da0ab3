import assert from "node:assert/strict";
import { chmod } from "node:fs/promises";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { hasCode } from "../../src/core/errors.ts";
import { type ConnectOptions, connectNfs, type NfsClient, type NfsVersion } from "../../src/nfs/index.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";
import { refusal } from "./refusal.ts";

const versions = ["3", "4.1"] as const;

describe("why an export refuses", () => {
  let server: Ganesha;
  before(async () => {
    server = await startGanesha({
      exports: [
        { name: "open" },
        { name: "secure", privilegedPort: true },
        { name: "squashed", squash: "Root_Squash" },
        { name: "elsewhere", access: "None", clients: ["192.0.2.1"] },
        { name: "readonly", access: "RO" },
        { name: "kerberos", security: "krb5" },
        { name: "small", sizeBytes: 1024 * 1024 },
        { name: "only3", protocols: [3] },
      ],
    });
  });
  after(async () => await server?.[Symbol.asyncDispose]());

  function connect(
    name: string,
    version: NfsVersion,
    more: Partial<ConnectOptions> = {},
  ): Promise<NfsClient> {
    const { address: host, nfsPort: port, mountPort } = server;
    return connectNfs({ host, port, mountPort, path: `/srv/${name}`, versions: [version], ...more });
  }

  for (const version of versions) {
    test(`${version}: a source port above 1023 on a secure export is named, and "auto" gets over it`, async () => {
      const error = await refusal(connect("secure", version, { sourcePort: "any" }));
      assert.equal(error.diagnosis, version === "3" ? "secure-port" : "no-such-export"); // v4 hides it
      assert.match(error.message, /source port below 1024/);
      const client = await connect("secure", version);
      assert.equal(client.root.attributes.type, "directory");
      await client.close();
    });

    test(`${version}: an address that the export does not list is named`, async () => {
      const error = await refusal(connect("elsewhere", version));
      assert.ok(["not-exported", "no-such-export"].includes(error.diagnosis), error.message);
      assert.match(error.message, /export/);
    });

    test(`${version}: a path that is not exported is named`, async () => {
      const error = await refusal(connect("missing", version));
      assert.equal(error.diagnosis, version === "3" ? "not-exported" : "no-such-export");
      assert.match(error.message, /check the path|no such path/);
    });

    test(`${version}: root_squash is named, and acting as the owner gets over it`, async () => {
      await chmod(server.directory("squashed"), 0o755);
      const client = await connect("squashed", version);
      try {
        const error = await refusal(client.mkdir(client.root.handle, `root${version}`, {}));
        assert.deepEqual([error.diagnosis, error.code], ["root-squash", "storage-access"]);
        await chmod(server.directory("squashed"), 0o777);
        const credentials = { uid: 12345, gid: 12345, gids: [] };
        const made = await client.mkdir(client.root.handle, `owner${version}`, {}, { credentials });
        assert.equal(made.attributes.uid, 12345);
      } finally {
        await client.close();
      }
    });

    test(`${version}: a read-only export is named`, async () => {
      const client = await connect("readonly", version);
      const error = await refusal(client.mkdir(client.root.handle, "x", {}));
      assert.deepEqual([error.diagnosis, error.code], ["read-only", "storage-read-only"]);
      await client.close();
    });

    test(`${version}: Kerberos is named`, async () => {
      const error = await refusal(connect("kerberos", version));
      assert.equal(error.diagnosis, "kerberos", error.message);
    });

    test(`${version}: a full file system is named, and the file is known to be there`, async () => {
      const client = await connect("small", version);
      const content = Buffer.alloc(900 * 1024);
      await client.create(client.root.handle, `first${version}`, {}, content).catch(() => {}); // fits, or not
      const error = await refusal(client.create(client.root.handle, `second${version}`, {}, content));
      assert.deepEqual(
        [error.diagnosis, error.code, error.outcome],
        ["no-space", "storage-no-space", "done"],
      );
      await client.close();
    });

    test(`${version}: a removed file is stale`, async () => {
      const client = await connect("open", version);
      const { handle } = await client.mkdir(client.root.handle, `gone${version}`, {});
      await client.rmdir(client.root.handle, `gone${version}`);
      const error = await refusal(client.getattr(handle));
      assert.deepEqual([error.diagnosis, error.code], ["stale", "storage-stale"]);
      await client.close();
    });

    test(`${version}: a file is not removed as a directory`, async () => {
      const client = await connect("open", version);
      await client.create(client.root.handle, `file${version}`, {});
      await assert.rejects(client.rmdir(client.root.handle, `file${version}`), (error) =>
        hasCode(error, "storage-not-a-directory"),
      );
      await client.close();
    });
  }

  test("4.2 falls back to 4.1 where the server has no 4.2", async () => {
    const { address: host, nfsPort: port, mountPort } = server;
    const client = await connectNfs({ host, port, mountPort, path: "/srv/open" });
    assert.equal(client.features.version, "4.1");
    await client.close();
  });

  test("a version that the server lacks is named", async () => {
    const error = await refusal(connect("open", "4.2"));
    assert.deepEqual([error.diagnosis, error.code], ["wrong-version", "storage-unsupported"]);
  });
});

test("a grace period that outlasts the call is named, and waited out by a call with more time", async () => {
  await using server = await startGanesha({ graceSeconds: 120, leaseSeconds: 60 });
  await using clients = new AsyncDisposableStack();
  const { address: host, nfsPort: port } = server;
  const open = async () => {
    const opened = await connectNfs({ host, port, path: "/srv/data", versions: ["4.1"] });
    clients.defer(() => opened.close());
    return opened;
  };
  const client = await open();
  const create = (name: string, timeoutMs: number) =>
    client.create(client.root.handle, name, {}, undefined, { timeoutMs });
  await create("before", 30_000);
  const other = await open(); // the server waits for all that it knew, and this one stays away at first
  await server.kill();
  await server.start();
  await client.getattr(client.root.handle); // connected again
  const error = await refusal(create("during", 5000));
  assert.deepEqual([error.diagnosis, error.code], ["grace", "storage-unavailable"]);
  assert.match(error.message, /has restarted and waits for clients to come back: try again/);
  const created = create("during", 60_000);
  await other.getattr(other.root.handle);
  await created;
});

test("a port where nothing listens is named", async () => {
  const listener = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => listener.once("listening", resolve));
  const address = listener.address();
  assert.ok(address !== null && typeof address === "object");
  await new Promise((resolve) => listener.close(resolve));
  const options = { host: "127.0.0.1", port: address.port, path: "/x", versions: ["4.1"] } as const;
  const error = await refusal(connectNfs(options));
  assert.deepEqual(
    [error.diagnosis, error.code, error.outcome],
    ["refused", "storage-unavailable", "not-done"],
  );
});

test("a name that does not resolve is named", async () => {
  const error = await refusal(connectNfs({ host: "nowhere.invalid", path: "/x", versions: ["4.1"] }));
  assert.equal(error.diagnosis, "unresolved");
});
