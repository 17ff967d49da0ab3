/** What the Node service answers, over real gRPC and with the kernel's own mounts. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  VolumeCapability_AccessMode_Mode as Mode,
  NodeServiceCapability_RPC_Type as Rpc,
  VolumeUsage_Unit as Unit,
} from "../../src/gen/csi/v1/csi_pb.ts";
import { capability, outcomeOf, rpc, startNode } from "../support/edge-node-harness.ts";
import { inMountNamespace } from "../support/mount-namespace.ts";

const ok = { code: "OK", details: "" };

if (inMountNamespace()) {
  test("the node says who it is and what it can do, and no topology", async (t) => {
    const { client } = await startNode(t);
    const info = await client.call(rpc.nodeGetInfo, {});
    assert.equal(info.response?.nodeId, "node-1");
    assert.equal(info.response.accessibleTopology, undefined);
    assert.equal(info.response.maxVolumesPerNode, 0n);
    const { response } = await client.call(rpc.nodeGetCapabilities, {});
    assert.deepEqual(
      response?.capabilities.map(({ type }) => type.case === "rpc" && type.value.type),
      [Rpc.STAGE_UNSTAGE_VOLUME, Rpc.GET_VOLUME_STATS, Rpc.VOLUME_CONDITION, Rpc.SINGLE_NODE_MULTI_WRITER],
    );
  });

  test("a volume goes through its whole life on a node, each call twice, and the log tells it", async (t) => {
    const { node, client, log, stage, publish } = await startNode(t);
    const { volumeId, staging } = node;
    const [stagingTargetPath, targetPath] = [staging, node.target("a")];
    for (const _ of [1, 2]) assert.deepEqual(await stage(), ok);
    for (const _ of [1, 2]) assert.deepEqual(await publish(), ok);
    writeFileSync(join(targetPath, "file"), "data");
    assert.ok(existsSync(join(node.share, "pvc-1/file")));
    for (const _ of [1, 2])
      assert.equal((await client.call(rpc.nodeUnpublishVolume, { volumeId, targetPath })).code, "OK");
    for (const _ of [1, 2])
      assert.equal((await client.call(rpc.nodeUnstageVolume, { volumeId, stagingTargetPath })).code, "OK");
    assert.deepEqual(await node.mountsBelow(), []);
    assert.equal(existsSync(targetPath), false);
    for (const message of [
      `NodeStageVolume succeeded on volume ${volumeId} to path ${staging}`,
      `Successfully mounted ${targetPath}`,
      `Successfully unmounted ${targetPath}`,
      `NodeUnstageVolume succeeded on volume ${volumeId} from path ${staging}`,
    ]) {
      assert.ok(
        log.lines.some((line) => line.level === "info" && line.message === message),
        message,
      );
    }
  });

  for (const { title, readOnly, second } of [
    { title: "SINGLE_NODE_WRITER", readOnly: false, second: "FAILED_PRECONDITION" },
    { title: "SINGLE_NODE_READER_ONLY", readOnly: true, second: "FAILED_PRECONDITION" },
    { title: "MULTI_NODE_READER_ONLY", readOnly: true, second: "OK" },
    { title: "MULTI_NODE_SINGLE_WRITER", readOnly: false, second: "OK" },
    { title: "MULTI_NODE_MULTI_WRITER", readOnly: false, second: "OK" },
    { title: "SINGLE_NODE_SINGLE_WRITER", readOnly: false, second: "FAILED_PRECONDITION" },
    { title: "SINGLE_NODE_MULTI_WRITER", readOnly: false, second: "OK" },
  ] as const) {
    const what = readOnly ? "only reads" : "reads and writes";
    test(`${title} ${what}, and a second target is ${second}`, async (t) => {
      const { node, stage, publish } = await startNode(t);
      const volumeCapability = capability(Mode[title]);
      assert.deepEqual(await stage({ volumeCapability }), ok);
      assert.deepEqual(await publish({ volumeCapability }), ok);
      const write = () => writeFileSync(join(node.target("a"), "file"), "");
      if (readOnly) assert.throws(write, { code: "EROFS" });
      else write();
      const other = await publish({ volumeCapability, targetPath: node.target("b") });
      assert.equal(other.code, second);
      assert.equal(existsSync(node.target("b")), second === "OK");
    });
  }

  describe("NodePublishVolume", () => {
    test("with readonly is read-only, and the same target writable is ALREADY_EXISTS", async (t) => {
      const { node, stage, publish } = await startNode(t);
      assert.deepEqual(await stage(), ok);
      assert.deepEqual(await publish({ readonly: true }), ok);
      assert.throws(() => writeFileSync(join(node.target("a"), "file"), ""), { code: "EROFS" });
      const again = await publish();
      assert.equal(again.code, "ALREADY_EXISTS");
      assert.match(
        again.details,
        /^target path .* has the volume already, mounted in another way: unmount it/,
      );
    });

    test("takes what kubelet adds to the contexts at each publish", async (t) => {
      const { stage, publish } = await startNode(t);
      const volumeContext = { "storage.kubernetes.io/csiProvisionerIdentity": "x" };
      assert.deepEqual(await stage({ volumeContext }), ok);
      const added = {
        ...volumeContext,
        "csi.storage.k8s.io/pod.name": "p",
        "csi.storage.k8s.io/ephemeral": "false",
      };
      assert.deepEqual(await publish({ volumeContext: added }), ok);
      assert.deepEqual(await publish({ volumeContext }), ok);
    });

    test("of mount flags that none has says which by number, and never their text", async (t) => {
      const { stage, log, node } = await startNode(t);
      const volumeCapability = capability(Mode.MULTI_NODE_MULTI_WRITER, ["noexec", "password=hunter2"]);
      const { code, details } = await stage({ volumeCapability, secrets: { key: "hunter3" } });
      assert.equal(code, "INVALID_ARGUMENT");
      assert.match(details, /the 2nd mount flag .* is none that a directory volume can have: use ro/);
      assert.doesNotMatch(details + log.text, /hunter/);
      assert.deepEqual(await node.mountsBelow(), []);
    });
  });

  describe("NodeGetVolumeStats", () => {
    test("gives the volume's own bytes and inodes, at the staging path and at a target", async (t) => {
      const { node, client, stage, publish } = await startNode(t);
      const sizes = [`identity.json`, "size-1.x.json"].map((file, index) => ({ file, size: 5000 + index }));
      for (const { file, size } of sizes) {
        const record = JSON.stringify({ schema: 1, sizeBytes: `${size}000` }, undefined, 2);
        writeFileSync(join(node.share, ".berth/volumes/pvc-1", file), record);
      }
      await stage();
      await publish();
      writeFileSync(join(node.share, "pvc-1/file"), Buffer.alloc(100_000, 1));
      const { volumeId } = node;
      for (const volumePath of [node.staging, node.target("a")]) {
        const { response } = await client.call(rpc.nodeGetVolumeStats, { volumeId, volumePath });
        const [bytes, inodes] = response?.usage ?? [];
        assert.ok(bytes && inodes);
        assert.deepEqual([bytes.unit, inodes.unit], [Unit.BYTES, Unit.INODES]);
        assert.equal(bytes.total, 5_001_000n);
        assert.ok(bytes.used >= 100_000n && bytes.used < 200_000n);
        assert.ok(bytes.available <= bytes.total - bytes.used);
        assert.equal(inodes.used, 2n);
        assert.equal(inodes.total, inodes.used + inodes.available);
      }
    });

    for (const { title, more } of [
      { title: "a path where nothing is mounted", more: { volumePath: "/var/lib/nothing" } },
      { title: "a relative path, as csi-sanity asks", more: { volumePath: "some/path" } },
      { title: "a volume that is not Berth's", more: { volumeId: "nas#k8s#pvc#x" } },
    ]) {
      test(`of ${title} is NOT_FOUND`, async (t) => {
        const { node, client, stage } = await startNode(t);
        await stage();
        const asked = { volumeId: node.volumeId, volumePath: node.staging, ...more };
        const { code, details } = outcomeOf(await client.call(rpc.nodeGetVolumeStats, asked));
        assert.equal(code, "NOT_FOUND");
        assert.match(details, /^volume .*: (publish it there first|use the id that CreateVolume gave.*)$/);
      });
    }
  });

  describe("a volume on a share that this node does not have", () => {
    const volumeId = "directory/bind/pvc-1/elsewhere";

    test("is neither staged nor published nor measured: FAILED_PRECONDITION names the configuration", async (t) => {
      const { node, client, stage, publish } = await startNode(t);
      const stats = { volumeId, volumePath: node.staging };
      for (const outcome of [
        await stage({ volumeId }),
        await publish({ volumeId }),
        outcomeOf(await client.call(rpc.nodeGetVolumeStats, stats)),
      ]) {
        assert.equal(outcome.code, "FAILED_PRECONDITION");
        assert.match(outcome.details, /this node has no directory share elsewhere: add it to the node's/);
      }
      assert.deepEqual(await node.mountsBelow(), []);
    });

    test("is unpublished and unstaged with OK where nothing is mounted", async (t) => {
      const { node, client } = await startNode(t);
      const [stagingTargetPath, targetPath] = [node.staging, node.target("a")];
      assert.equal((await client.call(rpc.nodeUnpublishVolume, { volumeId, targetPath })).code, "OK");
      assert.equal((await client.call(rpc.nodeUnstageVolume, { volumeId, stagingTargetPath })).code, "OK");
    });
  });
}
