import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { connectNfs, type NfsClient, NfsError } from "../../src/nfs/index.ts";
import { type Ganesha, startGanesha } from "./ganesha.ts";

for (const version of ["3", "4.1"] as const) {
  describe(`NFS ${version} when the server`, () => {
    let server: Ganesha;
    let client: NfsClient;
    before(async () => {
      server = await startGanesha({ leaseSeconds: 6 });
      const { address: host, nfsPort: port, mountPort } = server;
      // Longer than a test may take: what ends at all has ended by its own deadline.
      const timeoutMs = 3_600_000;
      client = await connectNfs({ host, port, mountPort, path: "/srv/data", versions: [version], timeoutMs });
    });
    after(async () => {
      await client?.close();
      await server?.[Symbol.asyncDispose]();
    });

    test("restarts: what is called next goes on as if nothing had been", async () => {
      await client.mkdir(client.root.handle, "before", {});
      await server.kill();
      await server.start();
      assert.equal((await client.lookup(client.root.handle, "before")).attributes.type, "directory");
      await client.create(client.root.handle, "after", {}, Buffer.from("x"));
      assert.deepEqual((await readdir(server.directory("data"))).sort(), ["after", "before"]);
    });

    test("is away: a call waits for it to come back", async () => {
      await server.kill();
      const [attributes] = await Promise.all([client.getattr(client.root.handle), server.start()]);
      assert.equal(attributes.type, "directory");
    });

    test("hangs: every call ends at its own deadline, and later ones work again", async () => {
      await server.pause();
      const options = { timeoutMs: 300 };
      const calls = Array.from({ length: 100 }, (_, index) =>
        client.mkdir(client.root.handle, `hung-${index}`, {}, options),
      );
      const results = await Promise.allSettled(calls);
      for (const result of results) {
        assert.ok(result.status === "rejected" && result.reason instanceof NfsError);
        assert.equal(result.reason.diagnosis, "timeout");
      }
      server.resume();
      assert.equal((await client.getattr(client.root.handle)).type, "directory");
    });

    test("dies under load: each creation happened once, or its error tells what is known", async () => {
      const directory = (await client.mkdir(client.root.handle, "load", {})).handle;
      const names = Array.from({ length: 400 }, (_, index) => `d${index}`);
      const work = Promise.allSettled(names.map((name) => client.mkdir(directory, name, {})));
      await server.kill();
      await server.start();
      const results = await work;
      const there = new Set(await readdir(`${server.directory("data")}/load`));
      for (const [index, result] of results.entries()) {
        const exists = there.has(names[index] ?? "");
        if (result.status === "fulfilled") assert.ok(exists, `${names[index]} was lost`);
        else {
          assert.ok(result.reason instanceof NfsError, String(result.reason));
          assert.ok(result.reason.outcome !== "not-done" || !exists, result.reason.message);
        }
      }
    });
  });
}
