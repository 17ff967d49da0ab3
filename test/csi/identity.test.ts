/** The Identity service over real gRPC. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { identity } from "../../src/csi/identity.ts";
import { Identity } from "../../src/gen/csi/v1/csi_pb.ts";
import { startEdge } from "../support/edge-harness.ts";

test("the plugin says its name and version, what it can do, and that it is ready", async (t) => {
  const { client } = await startEdge(t, {
    identity: identity({ driverName: "csi.berth.test", version: "1.2.3" }),
  });
  const info = await client.call(Identity.method.getPluginInfo, {});
  assert.equal(info.response?.name, "csi.berth.test");
  assert.equal(info.response.vendorVersion, "1.2.3");
  const { response } = await client.call(Identity.method.getPluginCapabilities, {});
  assert.deepEqual(
    response?.capabilities.map(({ type }) => [type.case, type.value?.type]),
    [
      ["service", 1],
      ["volumeExpansion", 1],
    ],
  );
  assert.equal((await client.call(Identity.method.probe, {})).response?.ready, true);
});
