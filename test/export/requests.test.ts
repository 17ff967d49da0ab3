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
  test(`over NFS ${version} a deletion makes as many requests for 2,000 files as for none`, async (t) => {
    await using server = await startGanesha();
    await using proxy = await startProxy({ host: server.address, port: server.nfsPort });
    const text = configurationOf(server, version).replace(/( port: ).*/, `$1${proxy.port}`);
    const shares = openShares(parseConfig(text, "test.yaml"), { cluster: "c", driver: "d" }, silentLog);
    t.after(() => shares.close());
    const { client } = await startEdge(t, { identity: ready, controller: controller(shares.placements) });

    /** Of several, since a session's renewal may come in between. */
    const fewestOf = async (files: number): Promise<number> => {
      const counts: number[] = [];
      for (const name of ["a", "b", "c"]) {
        await client.call(rpc.createVolume, creation(name, { parameters }));
        const directory = join(server.directory("data"), name);
        for (let index = 0; index < files; index += 1) {
          if (index % 100 === 0) mkdirSync(join(directory, `${index}`));
          writeFileSync(join(directory, `${index - (index % 100)}`, `file-${index}`), "");
        }
        const before = proxy.requests;
        const answer = await client.call(rpc.deleteVolume, { volumeId: `export/nfs/${name}/nas` });
        counts.push(proxy.requests - before);
        assert.equal(answer.code, "OK");
      }
      return Math.min(...counts);
    };
    await fewestOf(0); // it connects, and learns its folders
    const none = await fewestOf(0);
    assert.ok(none > 0, "they go through here");
    assert.equal(await fewestOf(2000), none);
  });
}
