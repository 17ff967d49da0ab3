import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseConfig } from "../../src/cli/config/config.ts";
import { openShares } from "../../src/cli/driver/shares.ts";
import { silentLog } from "../../src/core/log.ts";
import { controller } from "../../src/csi/controller.ts";
import { startGanesha } from "../nfs/ganesha.ts";
import { creation, rpc, volumesIn } from "../support/edge-controller-harness.ts";
import { ready, startEdge } from "../support/edge-harness.ts";
import { configurationOf, startExportController } from "./controller-fixture.ts";

for (const version of ["3", "4.1"] as const) {
  test(`over NFS ${version} a volume is a directory of the export from creation to deletion`, async (t) => {
    const { client, server } = await startExportController(t, { version });
    const data = server.directory("data");
    const request = creation("pvc-1", { parameters: { type: "export", export: "nas", mode: "0770" } });

    const made = (await client.call(rpc.createVolume, request)).response?.volume;
    assert.equal(made?.volumeId, "export/nfs/pvc-1/nas");
    assert.deepEqual(made.volumeContext, { export: "nas", subDir: "pvc-1" });
    assert.equal(statSync(join(data, "pvc-1")).mode & 0o7777, 0o770);
    const record = readFileSync(join(data, ".berth/volumes/pvc-1/identity.json"), "utf8");
    assert.match(record, /"id": "export\/nfs\/pvc-1\/nas"/);

    const again = await client.call(rpc.createVolume, request);
    assert.deepEqual(again, { code: "OK", response: again.response });
    assert.deepEqual(again.response.volume, made);
    const listed = await client.call(rpc.listVolumes, {});
    assert.deepEqual(
      listed.response?.entries.map(({ volume }) => volume?.volumeId),
      ["export/nfs/pvc-1/nas"],
    );

    assert.equal((await client.call(rpc.deleteVolume, { volumeId: made.volumeId })).code, "OK");
    assert.deepEqual(volumesIn(data), []);
    assert.deepEqual(readdirSync(join(data, ".berth/volumes")), []);
    assert.equal((await client.call(rpc.deleteVolume, { volumeId: made.volumeId })).code, "OK");
  });
}

for (const [what, address, server] of [
  ["an IPv6 address", "::1", "::1"],
  ["a DNS name", "127.0.0.1", "localhost"],
] as const) {
  test(`an export's server may be ${what}`, async (t) => {
    const ganesha = await startGanesha({ address });
    t.after(() => ganesha[Symbol.asyncDispose]());
    for (const version of ["3", "4.1"] as const) {
      const text = configurationOf(ganesha, version).replace(/(server: ).*/, `$1"${server}"`);
      const shares = openShares(parseConfig(text, "test.yaml"), { cluster: "c", driver: "d" }, silentLog);
      t.after(() => shares.close());
      const services = { identity: ready, controller: controller(shares.placements) };
      const { client } = await startEdge(t, services);
      const parameters = { type: "export", export: "nas" };
      const made = await client.call(rpc.createVolume, creation("pvc-1", { parameters }));
      const volumeId = made.response?.volume?.volumeId ?? "";
      assert.deepEqual(volumesIn(ganesha.directory("data")), ["pvc-1"]);
      assert.equal((await client.call(rpc.deleteVolume, { volumeId })).code, "OK");
    }
  });
}
