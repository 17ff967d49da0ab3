/** What the Controller service says of volumes, over real gRPC and real directories. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ListVolumesResponse } from "../../src/gen/csi/v1/csi_pb.ts";
import { block, created, gibibyte, mount, rpc, startController } from "../support/edge-controller-harness.ts";
import type { Answer, EdgeClient } from "../support/edge-harness.ts";

describe("ValidateVolumeCapabilities", () => {
  test("confirms what is offered, and gives it back", async (t) => {
    const { client } = await startController(t);
    const volumeId = await created(client, "pvc-1");
    const asked = { volumeId, volumeCapabilities: [mount], parameters: { type: "directory", share: "one" } };
    const answer = await client.call(rpc.validateVolumeCapabilities, asked);
    assert.equal(answer.response?.confirmed?.volumeCapabilities.length, 1);
    assert.deepEqual(answer.response.confirmed.parameters, asked.parameters);
    assert.equal(answer.response.message, "");
  });

  test("answers OK without confirming to block access, and to another class", async (t) => {
    const { client } = await startController(t);
    const volumeId = await created(client, "pvc-1");
    for (const more of [{ volumeCapabilities: [mount, block] }, { parameters: { share: "two" } }]) {
      const asked = { volumeId, volumeCapabilities: [mount], ...more };
      const { response } = await client.call(rpc.validateVolumeCapabilities, asked);
      assert.ok(response);
      assert.equal(response.confirmed, undefined);
      assert.notEqual(response.message, "");
    }
  });

  for (const volumeId of ["fake", "directory/bind/missing/one"]) {
    test(`of ${volumeId}, which is missing, is NOT_FOUND`, async (t) => {
      const { client } = await startController(t);
      const asked = { volumeId, volumeCapabilities: [mount] };
      assert.equal((await client.call(rpc.validateVolumeCapabilities, asked)).code, "NOT_FOUND");
    });
  }
});

describe("ListVolumes", () => {
  test("gives every volume of every share once, whatever the page's size", async (t) => {
    const { client } = await startController(t);
    const wanted: string[] = [];
    for (const name of ["a", "b", "c"]) wanted.push(await created(client, name, "one"));
    for (const name of ["a", "d"]) wanted.push(await created(client, name, "two"));
    for (const maxEntries of [0, 1, 2, 3, 5, 100]) {
      assert.deepEqual(await listed(client, maxEntries), wanted, `${maxEntries} entries a page`);
    }
  });

  for (const startingToken of ["bad", "0123456789abcdef.a", ".", "../x"]) {
    test(`from the token ${startingToken}, which is not ours, is ABORTED`, async (t) => {
      const { client } = await startController(t);
      assert.equal((await client.call(rpc.listVolumes, { startingToken })).code, "ABORTED");
    });
  }

  test("from a token with a name that is none is ABORTED", async (t) => {
    const { client } = await startController(t);
    for (const name of ["a", "b"]) await created(client, name);
    const { response } = await client.call(rpc.listVolumes, { maxEntries: 1 });
    assert.ok(response);
    assert.match(response.nextToken, /\.a$/);
    const startingToken = response.nextToken.replace(/a$/, "../a");
    assert.equal((await client.call(rpc.listVolumes, { startingToken })).code, "ABORTED");
  });

  test("of fewer than no entries is INVALID_ARGUMENT", async (t) => {
    const { client } = await startController(t);
    assert.equal((await client.call(rpc.listVolumes, { maxEntries: -1 })).code, "INVALID_ARGUMENT");
  });

  async function listed(client: EdgeClient, maxEntries: number): Promise<string[]> {
    const ids: string[] = [];
    let startingToken = "";
    do {
      const page: Answer<ListVolumesResponse> = await client.call(rpc.listVolumes, {
        maxEntries,
        startingToken,
      });
      const { response } = page;
      assert.ok(response);
      assert.ok(maxEntries === 0 || response.entries.length <= maxEntries);
      ids.push(...response.entries.map(({ volume }) => volume?.volumeId ?? ""));
      startingToken = response.nextToken;
    } while (startingToken !== "");
    return ids;
  }
});

describe("GetCapacity", () => {
  test("is the room of the class's share, and of all shares without a class", async (t) => {
    const { client } = await startController(t);
    const parameters = { type: "directory", share: "one", "csi.storage.k8s.io/fstype": "x" };
    const one = (await client.call(rpc.getCapacity, { parameters })).response;
    const all = (await client.call(rpc.getCapacity, {})).response;
    assert.ok(one && all);
    assert.ok(one.availableCapacity > 0n);
    assert.equal(one.maximumVolumeSize, one.availableCapacity);
    assert.ok(all.availableCapacity > one.availableCapacity);
  });

  test("for block access is none", async (t) => {
    const { client } = await startController(t);
    const { response } = await client.call(rpc.getCapacity, { volumeCapabilities: [block] });
    assert.equal(response?.availableCapacity, 0n);
  });

  test("for a class that is wrong is INVALID_ARGUMENT", async (t) => {
    const { client } = await startController(t);
    assert.equal(
      (await client.call(rpc.getCapacity, { parameters: { share: "one" } })).code,
      "INVALID_ARGUMENT",
    );
  });
});

describe("ControllerExpandVolume", () => {
  test("records the size, asks nothing of the node, and never shrinks", async (t) => {
    const { client } = await startController(t);
    const volumeId = await created(client, "pvc-1");
    for (const { asked, has } of [
      { asked: 10_737_418_240n, has: 10_737_418_240n },
      { asked: 9_663_676_416n, has: 10_737_418_240n },
    ]) {
      const { response } = await client.call(rpc.controllerExpandVolume, {
        volumeId,
        capacityRange: { requiredBytes: asked },
      });
      assert.equal(response?.capacityBytes, has);
      assert.equal(response.nodeExpansionRequired, false);
    }
    assert.equal(
      (await client.call(rpc.controllerGetVolume, { volumeId })).response?.volume?.capacityBytes,
      10_737_418_240n,
    );
  });

  test("beyond a limit that the volume has passed is OUT_OF_RANGE", async (t) => {
    const { client } = await startController(t);
    const volumeId = await created(client, "pvc-1");
    const capacityRange = { limitBytes: gibibyte - 1n };
    assert.equal(
      (await client.call(rpc.controllerExpandVolume, { volumeId, capacityRange })).code,
      "OUT_OF_RANGE",
    );
  });

  test("of a volume that is missing is NOT_FOUND", async (t) => {
    const { client } = await startController(t);
    const capacityRange = { requiredBytes: 1n };
    for (const volumeId of ["fake", "directory/bind/missing/one"]) {
      assert.equal(
        (await client.call(rpc.controllerExpandVolume, { volumeId, capacityRange })).code,
        "NOT_FOUND",
      );
    }
  });
});

describe("ControllerGetVolume", () => {
  test("gives the volume, with a status", async (t) => {
    const { client } = await startController(t);
    const volumeId = await created(client, "pvc-1");
    const { response } = await client.call(rpc.controllerGetVolume, { volumeId });
    assert.equal(response?.volume?.volumeId, volumeId);
    assert.ok(response.status);
  });

  test("of a volume that is missing is NOT_FOUND", async (t) => {
    const { client } = await startController(t);
    assert.equal(
      (await client.call(rpc.controllerGetVolume, { volumeId: "directory/bind/x/one" })).code,
      "NOT_FOUND",
    );
  });
});

test("ControllerGetCapabilities has what is offered, and nothing else", async (t) => {
  const { client } = await startController(t);
  const { response } = await client.call(rpc.controllerGetCapabilities, {});
  assert.deepEqual(
    response?.capabilities.map(({ type }) => type.value?.type),
    [1, 3, 4, 9, 11, 12, 13],
  );
});
