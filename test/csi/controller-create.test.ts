/** CreateVolume and DeleteVolume, over real gRPC and real directories. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CreateVolumeRequestSchema } from "../../src/gen/csi/v1/csi_pb.ts";
import {
  block,
  created,
  creation,
  gibibyte,
  rpc,
  startController,
  volumesIn,
} from "../support/edge-controller-harness.ts";

describe("CreateVolume", () => {
  test("makes a directory, and a second call gives the same volume", async (t) => {
    const { client, paths } = await startController(t);
    const first = await client.call(rpc.createVolume, creation("pvc-1"));
    const second = await client.call(rpc.createVolume, creation("pvc-1"));
    assert.equal(first.response?.volume?.volumeId, "directory/bind/pvc-1/one");
    assert.equal(first.response.volume.capacityBytes, gibibyte);
    assert.deepEqual(second.response?.volume, first.response.volume);
    assert.ok(statSync(join(paths.one, "pvc-1")).isDirectory());
  });

  test("of the same name and another size is ALREADY_EXISTS", async (t) => {
    const { client } = await startController(t);
    await created(client, "pvc-1");
    const other = creation("pvc-1", { capacityRange: { requiredBytes: 5n * gibibyte } });
    assert.equal((await client.call(rpc.createVolume, other)).code, "ALREADY_EXISTS");
  });

  test("knows Kubernetes' own parameters, also those of a later Kubernetes", async (t) => {
    const { client } = await startController(t);
    const parameters = {
      type: "directory",
      share: "one",
      "csi.storage.k8s.io/pvc/name": "claim",
      "csi.storage.k8s.io/pvc/namespace": "default",
      "csi.storage.k8s.io/pv/name": "pvc-1",
      "csi.storage.k8s.io/of-the-future": "x",
    };
    assert.equal((await client.call(rpc.createVolume, creation("pvc-1", { parameters }))).code, "OK");
  });

  for (const { title, more, details } of [
    {
      title: "no type",
      more: { parameters: {} },
      details: /^parameters have no type: the StorageClass must name one of: directory$/,
    },
    {
      title: "a type that is not configured",
      more: { parameters: { type: "export" } },
      details:
        /^parameters have the type "export", which this driver is not configured for: it offers: directory$/,
    },
    {
      title: "an unknown key",
      more: { parameters: { type: "directory", share: "one", shrae: "x" } },
      details: /^StorageClass parameter shrae is unknown to type: directory: it knows type, share, /,
    },
    {
      title: "an unknown share",
      more: { parameters: { type: "directory", share: "x" } },
      details: /^StorageClass parameter share "x" is not in the configuration: name one of one, two$/,
    },
    {
      title: "block access",
      more: { volumeCapabilities: [block] },
      details: /^volume_capabilities\[0\]\.block is not offered: .*; use mount$/,
    },
    {
      title: "a source",
      more: { volumeContentSource: { type: { case: "volume", value: { volumeId: "x" } } } },
      details: /^volume_content_source is not offered: create an empty volume$/,
    },
    {
      title: "mutable parameters",
      more: { mutableParameters: { a: "b" } },
      details: /^mutable_parameters are not offered: remove the VolumeAttributesClass$/,
    },
    {
      title: "a topology",
      more: { accessibilityRequirements: { requisite: [{ segments: { zone: "a" } }] } },
      details: /^accessibility_requirements are not offered: .*; remove allowedTopologies$/,
    },
  ] satisfies {
    title: string;
    more: MessageInitShape<typeof CreateVolumeRequestSchema>;
    details: RegExp;
  }[]) {
    test(`with ${title} is INVALID_ARGUMENT, and creates nothing`, async (t) => {
      const { client, paths } = await startController(t);
      const answer = await client.call(rpc.createVolume, creation("pvc-1", more));
      assert.equal(answer.code, "INVALID_ARGUMENT");
      assert.ok(answer.response === undefined);
      assert.match(answer.details, details);
      assert.deepEqual([...readdirSync(paths.one), ...readdirSync(paths.two)], []);
    });
  }

  for (const name of ["../x", "a/b", "..", "a\0b"]) {
    test(`of the name ${JSON.stringify(name)} is INVALID_ARGUMENT, and creates nothing`, async (t) => {
      const { client, paths } = await startController(t);
      assert.equal((await client.call(rpc.createVolume, creation(name))).code, "INVALID_ARGUMENT");
      assert.deepEqual(readdirSync(paths.one), []);
    });
  }

  test("of 128 bytes of emoji makes a volume with a plain name", async (t) => {
    const { client, paths } = await startController(t);
    await created(client, "🚢".repeat(32));
    assert.match(volumesIn(paths.one).join(), /^~[a-z2-7]{26}$/);
  });

  test("with an empty topology, which is none, succeeds", async (t) => {
    const { client } = await startController(t);
    const more = { accessibilityRequirements: { requisite: [{}], preferred: [] } };
    assert.equal((await client.call(rpc.createVolume, creation("pvc-1", more))).code, "OK");
  });
});

describe("DeleteVolume", () => {
  test("takes the directory away, and a second call succeeds", async (t) => {
    const { client, paths } = await startController(t);
    const volumeId = await created(client, "pvc-1");
    writeFileSync(join(paths.one, "pvc-1", "file"), "data");
    assert.equal((await client.call(rpc.deleteVolume, { volumeId })).code, "OK");
    assert.equal(existsSync(join(paths.one, "pvc-1")), false);
    assert.equal((await client.call(rpc.deleteVolume, { volumeId })).code, "OK");
  });

  for (const volumeId of [
    "reallyfakevolumeid",
    "nas#k8s#pvc-1##",
    "directory/bind/..%2Fx/one",
    "directory/bind/x",
  ]) {
    test(`of ${volumeId}, which is not ours, succeeds with a warning`, async (t) => {
      const { client, log, paths } = await startController(t);
      await created(client, "pvc-1");
      assert.equal((await client.call(rpc.deleteVolume, { volumeId })).code, "OK");
      assert.ok(log.lines.some(({ level, fields }) => level === "warn" && fields["volumeId"] === volumeId));
      assert.deepEqual(volumesIn(paths.one), ["pvc-1"]);
    });
  }

  for (const volumeId of ["directory/bind/pvc-1/three", "export/nfs/pvc-1/nas"]) {
    test(`of ${volumeId}, whose share is not configured, is FAILED_PRECONDITION`, async (t) => {
      const { client } = await startController(t);
      assert.equal((await client.call(rpc.deleteVolume, { volumeId })).code, "FAILED_PRECONDITION");
    });
  }
});
