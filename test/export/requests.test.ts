/** How many requests a call makes to the server: over a network that is what decides how long it takes. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseConfig } from "../../src/cli/config/config.ts";
import { openShares } from "../../src/cli/driver/shares.ts";
import { silentLog } from "../../src/core/log.ts";
import { controller } from "../../src/csi/controller.ts";
import { startProxy } from "../nfs/faulty-proxy.ts";
import { startGanesha } from "../nfs/ganesha.ts";
import { creation, rpc } from "../support/edge-controller-harness.ts";
import { ready, startEdge } from "../support/edge-harness.ts";
import { configurationOf } from "./controller-fixture.ts";

const parameters = { type: "export", export: "nas" };

for (const version of ["3", "4.1"] as const) {
  test(`over NFS ${version} a deletion makes as many requests for 2,000 files as for none, and a creation few`, async (t) => {
    await using server = await startGanesha();
    await using proxy = await startProxy({ host: server.address, port: server.nfsPort });
    const text = configurationOf(server, version).replace(/( port: ).*/, `$1${proxy.port}`);
    const shares = openShares(parseConfig(text, "test.yaml"), { cluster: "c", driver: "d" }, silentLog);
    t.after(() => shares.close());
    const { client } = await startEdge(t, { identity: ready, controller: controller(shares.placements) });

    const requestsOf = async (call: Promise<{ readonly code: string }>): Promise<number> => {
      const before = proxy.requests;
      assert.equal((await call).code, "OK");
      return proxy.requests - before;
    };
    /** Of several, since a session's renewal may come in between. */
    const fewestOf = async (files: number) => {
      const creations: number[] = [];
      const deletions: number[] = [];
      for (const name of ["a", "b", "c"]) {
        creations.push(await requestsOf(client.call(rpc.createVolume, creation(name, { parameters }))));
        const directory = join(server.directory("data"), name);
        for (let index = 0; index < files; index += 1) {
          if (index % 100 === 0) mkdirSync(join(directory, `${index}`));
          writeFileSync(join(directory, `${index - (index % 100)}`, `file-${index}`), "");
        }
        const volumeId = `export/nfs/${name}/nas`;
        deletions.push(await requestsOf(client.call(rpc.deleteVolume, { volumeId })));
      }
      return { creation: Math.min(...creations), deletion: Math.min(...deletions) };
    };
    await fewestOf(0); // it connects, and learns its folders
    const none = await fewestOf(0);
    assert.ok(none.deletion > 0, "they go through here");
    assert.deepEqual(await fewestOf(2000), none);
    // The figures of docs/architecture.md.
    if (version === "4.1") assert.deepEqual(none, { creation: 3, deletion: 10 });
  });
}
