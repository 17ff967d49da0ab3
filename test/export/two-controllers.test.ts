/** Two controllers on one export of a real server, each with connections of its own, asked for the same at the same time. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseConfig } from "../../src/cli/config/config.ts";
import { openShares } from "../../src/cli/driver/shares.ts";
import { silentLog } from "../../src/core/log.ts";
import { controller } from "../../src/csi/controller.ts";
import { creation, rpc, volumesIn } from "../support/edge-controller-harness.ts";
import { type Answer, type EdgeClient, ready, startEdge } from "../support/edge-harness.ts";
import { configurationOf } from "./controller-fixture.ts";
import { type ExportSite, openExportSite } from "./export-site.ts";

const mebibyte = 2n ** 20n;
/** Of an export of 1 GiB. */
const more = '    overcommit: "1.0"\n';
/** What Kubernetes tries again after. */
const comeAgain = /^(ABORTED|UNAVAILABLE)$/;

for (const version of ["3", "4.1"] as const) {
  describe(`over NFS ${version} two controllers`, () => {
    const ending = new AsyncDisposableStack();
    let site: ExportSite;
    let clients: readonly EdgeClient[];
    before(async () => {
      site = ending.use(await openExportSite({ version, more }));
      const config = parseConfig(configurationOf(site.server, version) + more, "test.yaml");
      const shares = openShares(config, { cluster: "test", driver: "d.test" }, silentLog);
      ending.defer(() => shares.close());
      const lifetime = { after: (work: () => unknown) => ending.defer(async () => void (await work())) };
      const services = { identity: ready, controller: controller(shares.placements) };
      clients = [site.client, (await startEdge(lifetime, services)).client];
    });
    after(() => ending.disposeAsync());

    const data = (...names: string[]): string => join(site.server.directory("data"), ...names);

    async function untilFinal<A extends Answer<unknown>>(attempt: () => Promise<A>): Promise<A> {
      let answer = await attempt();
      while (comeAgain.test(answer.code)) answer = await attempt();
      return answer;
    }

    const create = (client: EdgeClient, name: string, bytes: bigint, subDir = name) => {
      const parameters = { type: "export", export: "nas", subDir };
      const request = creation(name, { parameters, capacityRange: { requiredBytes: bytes } });
      return untilFinal(() => client.call(rpc.createVolume, request));
    };
    const remove = (client: EdgeClient, name: string) =>
      untilFinal(() => client.call(rpc.deleteVolume, { volumeId: `export/nfs/${name}/nas` }));
    const byBoth = <T>(work: (client: EdgeClient, index: number) => Promise<T>[]): Promise<T[]> =>
      Promise.all(clients.flatMap(work));
    const names = (count: number) => Array.from({ length: count }, (_, index) => `pvc-${index}`);

    test("make one volume of each claim that both are asked for, and delete it once", async () => {
      const made = await byBoth((client) => names(8).map((name) => create(client, name, mebibyte)));
      assert.deepEqual(new Set(made.map(({ code }) => code)), new Set(["OK"]));
      assert.deepEqual(volumesIn(data()).sort(), names(8));
      assert.deepEqual(readdirSync(data(".berth/volumes")).sort(), names(8));
      const removed = await byBoth((client) => names(8).map((name) => remove(client, name)));
      assert.deepEqual(new Set(removed.map(({ code }) => code)), new Set(["OK"]));
      assert.deepEqual(volumesIn(data()), []);
      assert.equal((await site.reap()).purged, 8);
      for (const folder of ["volumes", "paths", "staging", "trash"])
        assert.deepEqual(readdirSync(data(".berth", folder)), [], folder);
    });

    test("give a directory that two volumes want to one of them", async () => {
      const answers = await byBoth((client, index) =>
        names(8).map((name) => create(client, `${name}-of-${index}`, mebibyte, `team/${name}`)),
      );
      const codes = answers.map(({ code }) => code).sort();
      assert.deepEqual(codes, [...Array(8).fill("ALREADY_EXISTS"), ...Array(8).fill("OK")]);
      assert.deepEqual(readdirSync(data("team")).sort(), names(8));
      await byBoth((client, index) => names(8).map((name) => remove(client, `${name}-of-${index}`)));
      await site.reap();
      assert.deepEqual(volumesIn(data()), []);
    });

    test("promise exactly what there is, and no more", async () => {
      const answers = await byBoth((client, index) =>
        names(20).map((name) => create(client, `${name}-of-${index}`, 100n * mebibyte)),
      );
      const admitted = answers.filter(({ code }) => code === "OK").length;
      const refused = answers.filter(({ code }) => code === "RESOURCE_EXHAUSTED").length;
      assert.deepEqual([admitted, refused], [10, 30]); // of 1024 MiB
      assert.equal(volumesIn(data()).length, 10);
      const parameters = { type: "export", export: "nas" };
      for (const client of clients) {
        const { response } = await client.call(rpc.getCapacity, { parameters });
        assert.equal(response?.availableCapacity, 24n * mebibyte);
      }
    });
  });
}
