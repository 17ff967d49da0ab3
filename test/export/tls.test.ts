/** TLS of an export: from the configuration file through `berth controller` to a real server behind stunnel. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { scratchDirectory } from "../../tools/scratch.ts";
import { type Ganesha, startGanesha } from "../nfs/ganesha.ts";
import { type Stunnel, startStunnel } from "../nfs/stunnel.ts";
import { creation, rpc } from "../support/edge-controller-harness.ts";
import { exportNas } from "../support/hostile-requests.ts";
import { ServingProcess } from "../support/serving-process.ts";

const serverName = "nas.example.test";

describe("an export with tls in the configuration file (csi-driver-nfs #525 #843)", () => {
  let server: Ganesha;
  let stunnel: Stunnel;
  let otherCaFile: string;
  before(async () => {
    server = await startGanesha();
    stunnel = await startStunnel(serverName, [server.nfsPort, server.mountPort]);
    otherCaFile = join(scratchDirectory("tls"), "ca.pem");
    writeFileSync(otherCaFile, stunnel.otherCa);
  });
  after(async () => {
    await stunnel?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  async function startController(version: string, tls: string): Promise<ServingProcess> {
    const [port, mountPort] = stunnel.ports;
    const place = `server: 127.0.0.1, share: /srv/data, port: ${port}, mountPort: ${mountPort}`;
    const config = `cluster: test\nexports:\n  - {name: nas, ${place}, nfsVersion: "${version}", tls: ${tls}}\n`;
    const controller = new ServingProcess(["controller"], config);
    await controller.serves();
    return controller;
  }

  const created = (name: string) => creation(name, { parameters: exportNas });

  for (const version of ["3", "4.1"]) {
    test(`NFS ${version}: a volume is created and deleted through it`, async () => {
      const tls = `{caFile: ${stunnel.caFile}, serverName: ${serverName}}`;
      using controller = await startController(version, tls);
      const { client } = controller;
      const answer = await client.call(rpc.createVolume, created(`over-${version}`));
      assert.equal(answer.code, "OK", "details" in answer ? answer.details : "");
      const volumeId = answer.response?.volume?.volumeId ?? "";
      const directory = join(server.directory("data"), `over-${version}`);
      assert.ok(existsSync(directory));
      assert.equal((await client.call(rpc.deleteVolume, { volumeId })).code, "OK");
      assert.ok(!existsSync(directory));
    });
  }

  const refusals = {
    "an authority that has not signed its certificate": {
      tls: () => `{caFile: ${otherCaFile}, serverName: ${serverName}}`,
      cause: /certificate|signature|issuer/,
    },
    "another name": {
      tls: () => `{caFile: ${stunnel.caFile}, serverName: other.example.test}`,
      cause: /other\.example\.test.*nas\.example\.test/,
    },
    "the address for a name": {
      tls: () => `{caFile: ${stunnel.caFile}}`,
      cause: /127\.0\.0\.1.*cert/,
    },
  };
  for (const [what, { tls, cause }] of Object.entries(refusals)) {
    test(`with ${what} nothing is created, and the message names export, cause and remedy`, async () => {
      using controller = await startController("4.1", tls());
      const answer = await controller.client.call(rpc.createVolume, created("never"));
      assert.equal(answer.code, "UNAVAILABLE");
      const details = "details" in answer ? answer.details : "";
      assert.match(
        details,
        /^127\.0\.0\.1:\/srv\/data: .*: check its certificate, .*tls\.serverName.*tls\.caFile/,
      );
      assert.match(details, cause);
      assert.doesNotMatch(details, /Node\.js/);
      assert.ok(!existsSync(join(server.directory("data"), "never")));
    });
  }
});
