/**
 * What users of drivers of this kind have asked for, each test named after the threads: what needs a server and a
 * controller, and no kernels. The others are in `test/e2e/users-ask.test.ts`.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseConfig } from "../../src/cli/config/config.ts";
import { openShares } from "../../src/cli/driver/shares.ts";
import { silentLog } from "../../src/core/log.ts";
import { controller } from "../../src/csi/controller.ts";
import { scratchDirectory } from "../../tools/scratch.ts";
import { type Ganesha, startGanesha } from "../nfs/ganesha.ts";
import { creation, rpc } from "../support/edge-controller-harness.ts";
import { type Answer, type EdgeClient, type Lifetime, ready, startEdge } from "../support/edge-harness.ts";
import { startExportController } from "./controller-fixture.ts";

const detailsOf = (answer: Answer<unknown>) => ("details" in answer ? answer.details : "");

const creating = (client: EdgeClient, name: string, parameters: Readonly<Record<string, string>>) =>
  client.call(rpc.createVolume, creation(name, { parameters: { type: "export", ...parameters } }));

describe("a subDir from labels and annotations is refused by name before anything is made (csi-driver-nfs #381 #771 #791)", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/storage-classes.md"), "utf8");
  test("the page on classes says that it is not offered, and why", () => {
    assert.match(page, /\*\*Labels and annotations\*\*[^.]* are not[^.]*offered/);
    assert.match(page, /csi-provisioner sends/);
  });
  for (const template of [
    "pvc.metadata.labels.team",
    "pvc.metadata.labels['team']",
    "pvc.metadata.annotations.nfs.io/storage-path",
    "pvc.annotations.team",
  ]) {
    test(template, async (t) => {
      const { client, server } = await startExportController(t);
      const subDir = `teams/\${${template}}`;
      const names = { "csi.storage.k8s.io/pvc/name": "data", "csi.storage.k8s.io/pvc/namespace": "shop" };
      const answer = await creating(client, "pvc-1", { export: "nas", subDir, ...names });
      assert.equal(answer.code, "INVALID_ARGUMENT");
      assert.ok(
        detailsOf(answer).includes(`subDir has the template \${${template}}, which Berth does not know`),
      );
      assert.match(detailsOf(answer), /: it knows .*\$\{pvc\.metadata\.namespace\}/);
      assert.deepEqual(readdirSync(server.directory("data")), []);
    });
  }
});

test("an export that demands Kerberos is refused to the controller with what to do (csi-driver-nfs #525 #843; TLS is in tls.test.ts)", async (t) => {
  for (const version of ["3", "4.1"] as const) {
    const exports = [{ name: "data", security: "krb5" }] as const;
    const { client, server } = await startExportController(t, { exports, version });
    const answer = await creating(client, "pvc-1", { export: "nas" });
    assert.ok(["FAILED_PRECONDITION", "PERMISSION_DENIED", "UNAVAILABLE"].includes(answer.code), answer.code);
    assert.match(detailsOf(answer), /^127\.0\.0\.1:\/srv\/data: .*Kerberos.*: allow sec=sys for this client/);
    assert.deepEqual(readdirSync(server.directory("data")), []);
  }
});

describe("several servers, and one that fails over (nfs-subdir-external-provisioner #78 #153 #348)", () => {
  interface Place {
    readonly name: string;
    readonly server: Ganesha;
  }

  async function startOn(t: Lifetime, ...places: Place[]): Promise<EdgeClient> {
    const exports = places.map(
      ({ name, server }) =>
        `  - {name: ${name}, server: ${server.address}, share: /srv/data, nfsVersion: "4.1", port: ${server.nfsPort}}\n`,
    );
    const config = parseConfig(`cluster: test\nexports:\n${exports.join("")}`, "test.yaml");
    const shares = openShares(config, { cluster: "test", driver: "d.test" }, silentLog);
    t.after(() => shares.close());
    return (await startEdge(t, { identity: ready, controller: controller(shares.placements) })).client;
  }

  async function startServer(t: Lifetime, address: string, directory?: string): Promise<Ganesha> {
    const server = await startGanesha({
      address,
      exports: [{ name: "data", ...(directory === undefined ? {} : { directory }) }],
    });
    t.after(() => server[Symbol.asyncDispose]());
    return server;
  }

  test("one controller serves many servers, and one that is down harms its own volumes only", async (t) => {
    const [first, second] = [await startServer(t, "127.0.0.1"), await startServer(t, "127.0.0.2")];
    const client = await startOn(t, { name: "first", server: first }, { name: "second", server: second });
    for (const name of ["first", "second"]) {
      assert.equal((await creating(client, `on-${name}`, { export: name })).code, "OK");
    }
    assert.ok(existsSync(join(first.directory("data"), "on-first")));
    assert.ok(existsSync(join(second.directory("data"), "on-second")));
    await first.kill();
    const volumeId = "export/nfs/on-first/first";
    const down = client.call(rpc.deleteVolume, { volumeId }, { timeoutMs: 2000 });
    assert.equal((await creating(client, "later", { export: "second" })).code, "OK");
    assert.equal(
      (await client.call(rpc.deleteVolume, { volumeId: "export/nfs/on-second/second" })).code,
      "OK",
    );
    assert.match((await down).code, /^(UNAVAILABLE|DEADLINE_EXCEEDED)$/);
    await first.start();
    // As Kubernetes tries again, without its pauses.
    let again = await client.call(rpc.deleteVolume, { volumeId });
    while (/^(ABORTED|UNAVAILABLE)$/.test(again.code))
      again = await client.call(rpc.deleteVolume, { volumeId });
    assert.equal(again.code, "OK", detailsOf(again));
    assert.ok(!existsSync(join(first.directory("data"), "on-first")));
  });

  test("volumes keep their ids when the same files are served from another address", async (t) => {
    const files = scratchDirectory("failover");
    mkdirSync(files, { recursive: true });
    const active = await startServer(t, "127.0.0.1", files);
    const before = await startOn(t, { name: "nas", server: active });
    assert.equal((await creating(before, "kept", { export: "nas" })).code, "OK");
    writeFileSync(join(files, "kept/data"), "precious");
    await active.kill();
    const standby = await startServer(t, "127.0.0.2", files);
    const client = await startOn(t, { name: "nas", server: standby });
    const again = await creating(client, "kept", { export: "nas" });
    assert.equal(again.response?.volume?.volumeId, "export/nfs/kept/nas", detailsOf(again));
    assert.equal(readFileSync(join(files, "kept/data"), "utf8"), "precious");
    const listed = await client.call(rpc.listVolumes, {});
    assert.deepEqual(
      listed.response?.entries.map(({ volume }) => volume?.volumeId),
      ["export/nfs/kept/nas"],
    );
    assert.equal((await client.call(rpc.deleteVolume, { volumeId: "export/nfs/kept/nas" })).code, "OK");
    assert.ok(!existsSync(join(files, "kept")));
  });
});
