/** Bad input to the Node service: the right code, a message that helps, nothing mounted and nothing lost. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { VolumeCapability_AccessMode_Mode as Mode } from "../../src/gen/csi/v1/csi_pb.ts";
import { scratchDirectory } from "../../tools/scratch.ts";
import {
  capability,
  type NodeEdge,
  type Outcome,
  outcomeOf,
  rpc,
  startNode,
} from "../support/edge-node-harness.ts";
import { inMountNamespace } from "../support/mount-namespace.ts";
import { run } from "../support/node-fixture.ts";

const block = {
  accessMode: { mode: Mode.MULTI_NODE_MULTI_WRITER },
  accessType: { case: "block", value: {} },
} as const;

/** Every mount and file of the fixture, and what the files of the share hold. */
async function everything({ node }: NodeEdge): Promise<string[]> {
  const mounts = (await node.mountsBelow()).map(({ mountPoint, options }) => `${mountPoint} ${options}`);
  const files = readdirSync(node.root, { recursive: true, withFileTypes: true }).map((entry) => {
    const at = join(entry.parentPath, entry.name);
    return `${at} ${entry.isFile() ? readFileSync(at, "utf8") : ""}`;
  });
  return [...mounts, ...files.sort()];
}

/** What `call` answers, having changed nothing. */
async function refused(
  edge: NodeEdge,
  call: () => Promise<Outcome>,
  code: string,
  details: RegExp,
): Promise<void> {
  const before = await everything(edge);
  const answer = await call();
  assert.equal(answer.code, code, answer.details);
  assert.match(answer.details, details);
  assert.deepEqual(await everything(edge), before);
}

if (inMountNamespace()) {
  describe("a field", () => {
    const long = "x".repeat(129);
    const longPath = `/${"x".repeat(4095)}`;
    for (const { title, call, details } of [
      {
        title: "volume_id that is missing at NodeStageVolume",
        call: ({ stage }: NodeEdge) => stage({ volumeId: "" }),
        details: /^volume_id is missing: CSI requires it in NodeStageVolumeRequest/,
      },
      {
        title: "staging_target_path that is missing at NodeStageVolume",
        call: ({ stage }: NodeEdge) => stage({ stagingTargetPath: "" }),
        details: /^staging_target_path is missing: CSI requires it/,
      },
      {
        title: "target_path that is missing at NodePublishVolume",
        call: ({ publish }: NodeEdge) => publish({ targetPath: "" }),
        details: /^target_path is missing: CSI requires it/,
      },
      {
        title: "volume_id of 129 bytes",
        call: ({ publish }: NodeEdge) => publish({ volumeId: long }),
        details: /^volume_id is 129 bytes long: CSI allows 128/,
      },
      {
        title: "staging_target_path of 4096 bytes",
        call: ({ stage }: NodeEdge) => stage({ stagingTargetPath: longPath }),
        details: /^staging_target_path is 4096 bytes long: Linux allows 4095/,
      },
      {
        title: "target_path with a NUL",
        call: ({ publish }: NodeEdge) => publish({ targetPath: "/a\0b" }),
        details: /^target_path has a NUL: leave it out/,
      },
      {
        title: "target_path that is relative",
        call: ({ publish }: NodeEdge) => publish({ targetPath: "a/b" }),
        details: /^target_path "a\/b" is relative: give an absolute path/,
      },
      {
        title: "target_path that climbs",
        call: ({ publish, node }: NodeEdge) => publish({ targetPath: `${node.kubelet}/../../etc/x` }),
        details: /^target_path ".*" has the component \.\.: give the path without it/,
      },
      {
        title: "volume_context of more than 4 KiB",
        call: ({ stage }: NodeEdge) => stage({ volumeContext: { a: "b".repeat(4096) } }),
        details: /^volume_context holds 4097 bytes of keys and values: CSI allows 4096/,
      },
      {
        title: "volume_capability that asks for block access",
        call: ({ stage }: NodeEdge) => stage({ volumeCapability: block }),
        details: /^volume_capability\..*block is not offered: /,
      },
      {
        title: "volume_capability that asks for block access to publish",
        call: ({ publish }: NodeEdge) => publish({ volumeCapability: block }),
        details: /^volume_capability\..*block is not offered: /,
      },
      {
        title: "volume_capability of an unknown access mode",
        call: ({ stage }: NodeEdge) => stage({ volumeCapability: capability(Mode.UNKNOWN) }),
        details: /^volume_capability\.access_mode\.mode is 0, which CSI v1\.12 does not define: name a mode/,
      },
      {
        title: "volume_capability that is missing",
        call: ({ client, node }: NodeEdge) =>
          client
            .call(rpc.nodeStageVolume, { volumeId: node.volumeId, stagingTargetPath: node.staging })
            .then(outcomeOf),
        details: /^volume_capability is missing: CSI requires it/,
      },
    ]) {
      test(`${title} is INVALID_ARGUMENT, and changes nothing`, async (t) => {
        const edge = await startNode(t);
        assert.equal((await edge.stage()).code, "OK");
        await refused(edge, () => call(edge), "INVALID_ARGUMENT", details);
      });
    }

    test("staging_target_path that is missing at NodePublishVolume is FAILED_PRECONDITION, as CSI has it", async (t) => {
      const edge = await startNode(t);
      const call = () => edge.publish({ stagingTargetPath: "" });
      await refused(edge, call, "FAILED_PRECONDITION", /^staging_target_path is empty: stage the volume/);
    });
  });

  test("a volume id that is not Berth's is NOT_FOUND to stage and publish, and is quoted", async (t) => {
    const edge = await startNode(t);
    for (const volumeId of ["nas#k8s#pvc-1##", "directory/bind/..%2Fx/default", "directory/bind/x"]) {
      const details = /^volume ".*" is not one of Berth: use the id that CreateVolume gave/;
      await refused(edge, () => edge.stage({ volumeId }), "NOT_FOUND", details);
      await refused(edge, () => edge.publish({ volumeId }), "NOT_FOUND", details);
    }
  });

  test("a path outside of the kubelet directory is INVALID_ARGUMENT, also through a symbolic link", async (t) => {
    const edge = await startNode(t);
    const { node, stage, publish } = edge;
    assert.equal((await stage()).code, "OK");
    symlinkSync(node.share, join(node.kubelet, "out"));
    const details =
      /path .* is not below the kubelet's directory .*: start the node plugin with the --kubelet-dir/;
    for (const path of [
      "/etc/berth-never",
      join(node.root, "x"),
      join(node.kubelet, "out/x"),
      node.kubelet,
    ]) {
      await refused(edge, () => publish({ targetPath: path }), "INVALID_ARGUMENT", details);
      await refused(edge, () => stage({ stagingTargetPath: path }), "INVALID_ARGUMENT", details);
    }
  });

  describe("a staging path", () => {
    test("where nothing is staged is FAILED_PRECONDITION to publish from", async (t) => {
      const edge = await startNode(t);
      const details = /^volume .* is not staged at .*: call NodeStageVolume first/;
      await refused(edge, () => edge.publish(), "FAILED_PRECONDITION", details);
      rmSync(edge.node.staging, { recursive: true });
      await refused(edge, () => edge.publish(), "FAILED_PRECONDITION", details);
    });

    test("that is something else's mount is FAILED_PRECONDITION, and stays mounted", async (t) => {
      const edge = await startNode(t);
      const { node, client, stage, publish } = edge;
      run("mount", "-t", "tmpfs", "foreign", node.staging);
      const { volumeId, staging: stagingTargetPath } = node;
      const elses = /is a mount of something else \(foreign \/\).*: unmount it/;
      await refused(edge, stage, "FAILED_PRECONDITION", elses);
      await refused(edge, publish, "FAILED_PRECONDITION", /is not staged at/);
      const unstage = () =>
        client.call(rpc.nodeUnstageVolume, { volumeId, stagingTargetPath }).then(outcomeOf);
      await refused(edge, unstage, "FAILED_PRECONDITION", /is a mount of something else \(foreign \/\)/);
    });

    test("that is a file is FAILED_PRECONDITION, and the file stays", async (t) => {
      const edge = await startNode(t);
      rmSync(edge.node.staging, { recursive: true });
      writeFileSync(edge.node.staging, "mine");
      const details =
        /^volume .* at staging path .*: there is something that is not a directory: remove the file/;
      await refused(edge, () => edge.stage(), "FAILED_PRECONDITION", details);
    });
  });

  describe("a file where a directory should be", () => {
    test("at the target is FAILED_PRECONDITION to publish and unpublish, and stays", async (t) => {
      const edge = await startNode(t);
      const { node, client, publish, stage } = edge;
      assert.equal((await stage()).code, "OK");
      mkdirSync(dirname(node.target("a")), { recursive: true });
      writeFileSync(node.target("a"), "mine");
      const details = /^volume .*target path .*: there is something that is not a directory: remove the file/;
      await refused(edge, publish, "FAILED_PRECONDITION", details);
      const request = { volumeId: node.volumeId, targetPath: node.target("a") };
      const unpublish = () => client.call(rpc.nodeUnpublishVolume, request).then(outcomeOf);
      await refused(edge, unpublish, "FAILED_PRECONDITION", details);
    });

    test("above the target is FAILED_PRECONDITION, and stays", async (t) => {
      const edge = await startNode(t);
      assert.equal((await edge.stage()).code, "OK");
      writeFileSync(join(edge.node.kubelet, "pods"), "mine");
      const details = /its parent directory cannot be made \(.*\): make every component a writable directory/;
      await refused(edge, () => edge.publish(), "FAILED_PRECONDITION", details);
    });

    test("in the volume's place is FAILED_PRECONDITION, and stays", async (t) => {
      const edge = await startNode(t);
      rmSync(join(edge.node.share, "pvc-1"), { recursive: true });
      writeFileSync(join(edge.node.share, "pvc-1"), "mine");
      const details =
        /^volume .*: pvc-1 on share default \(.*\) is not a directory: put back the volume's own/;
      await refused(edge, () => edge.stage(), "FAILED_PRECONDITION", details);
    });
  });

  test("a share that is read-only here is FAILED_PRECONDITION to a writer, and serves a reader", async (t) => {
    const edge = await startNode(t);
    const { node, stage } = edge;
    run("mount", "--bind", node.share, node.share);
    run("mount", "-o", "remount,bind,ro", node.share);
    const details =
      /^share default is mounted ro on this node, against an access mode that writes: remount it without ro, or ask for ro too$/;
    await refused(edge, stage, "FAILED_PRECONDITION", details);
    assert.equal((await stage({ volumeCapability: capability(Mode.MULTI_NODE_READER_ONLY) })).code, "OK");
  });

  test("a volume whose record is missing is NOT_FOUND to stage", async (t) => {
    const edge = await startNode(t);
    rmSync(join(edge.node.share, ".berth/volumes/pvc-1"), { recursive: true });
    const details =
      /^volume .* has no record on share default \(.*\) as this node sees it: create it, or mount/;
    await refused(edge, () => edge.stage(), "NOT_FOUND", details);
  });

  test("a node without mount(8) says what to install, to stage and to publish", async (t) => {
    const bin = scratchDirectory("bin");
    for (const command of ["mkdir", "rmdir"]) symlinkSync(`/bin/${command}`, join(bin, command));
    const edge = await startNode(t, { env: { PATH: bin } });
    const { node, stage, publish } = edge;
    const details =
      /^volume .*: a command is missing on this node \(.*mount.*not found\): install util-linux/;
    await refused(edge, stage, "FAILED_PRECONDITION", details);
    run("mount", "--bind", join(node.share, "pvc-1"), node.staging);
    mkdirSync(dirname(node.target("a")), { recursive: true });
    await refused(edge, publish, "FAILED_PRECONDITION", details);
  });
}
