/**
 * The Node service with something hostile in each field of each request, for a volume of a directory that is staged
 * and published: what is mounted and what lies on the share and outside of the kubelet's directory stays as it is.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import type { DescMethod } from "@bufbuild/protobuf";
import { VolumeCapability_AccessMode_Mode as Mode, Node } from "../../src/gen/csi/v1/csi_pb.ts";
import { capability, type NodeEdge, rpc, startNode } from "../support/edge-node-harness.ts";
import {
  hostileTexts,
  hostileVariants,
  isUnary,
  type Request,
  refusals,
} from "../support/hostile-requests.ts";
import { inMountNamespace } from "../support/mount-namespace.ts";
import { run } from "../support/node-fixture.ts";

const volumeCapability = capability(Mode.MULTI_NODE_MULTI_WRITER);

function goodRequest({ name }: DescMethod, { node }: NodeEdge): Request {
  const { volumeId, staging: stagingTargetPath } = node;
  const targetPath = node.target("a");
  switch (name) {
    case "NodeStageVolume":
      return { volumeId, stagingTargetPath, volumeCapability };
    case "NodeUnstageVolume":
      return { volumeId, stagingTargetPath };
    case "NodePublishVolume":
      return { volumeId, stagingTargetPath, targetPath, volumeCapability };
    case "NodeUnpublishVolume":
      return { volumeId, targetPath };
    case "NodeExpandVolume":
    case "NodeGetVolumeStats":
      return { volumeId, stagingTargetPath, volumePath: targetPath };
    default:
      return {};
  }
}

/** Also what begins below the kubelet's directory, as a path must, and what belongs to others. */
function textsFor({ node }: NodeEdge): string[] {
  return [
    ...hostileTexts,
    ...hostileTexts.map((text) => `${node.kubelet}/${text}`),
    ...hostileTexts.map((text) => `directory/bind/${text}/default`),
    ...["directory/bind/pvc-2/default", "directory/bind/pvc-1/../default", "export/nfs/pvc-1/default"],
    ...[
      node.kubelet,
      node.share,
      join(node.share, "pvc-1"),
      node.target("b"),
      foreign(node),
      "/proc/self/root",
    ],
  ];
}

const foreign = ({ kubelet }: NodeEdge["node"]) => join(kubelet, "foreign");

/** The volume and another are staged and published, and somebody else's file system is mounted beside them. */
async function startBusy(t: Parameters<typeof startNode>[0]): Promise<NodeEdge> {
  const edge = await startNode(t);
  const { node, stage, publish } = edge;
  node.addVolume("pvc-2");
  for (const name of ["pvc-1", "pvc-2"]) writeFileSync(join(node.share, name, "data"), `of ${name}`);
  const other = {
    volumeId: "directory/bind/pvc-2/default",
    stagingTargetPath: `${node.kubelet}/plugins/other/globalmount`,
  };
  for (const path of [foreign(node), other.stagingTargetPath]) mkdirSync(path, { recursive: true });
  run("mount", "-t", "tmpfs", "foreign", foreign(node));
  writeFileSync(join(foreign(node), "data"), "of somebody else");
  const calls = [
    () => stage(),
    () => publish(),
    () => stage(other),
    () => publish({ ...other, targetPath: node.target("b") }),
  ];
  for (const call of calls) assert.equal((await call()).code, "OK");
  return edge;
}

/** Every mount of this namespace, what the root directory has, and all files but the kubelet's empty directories. */
function everything({ node }: NodeEdge): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const files = readdirSync(node.root, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const at = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) return at.startsWith(node.kubelet) ? [] : [at];
    return [`${at} ${entry.isFile() ? readFileSync(at, "utf8") : ""}`];
  });
  const outside = ["/", "/etc"].flatMap((path) => readdirSync(path).map((name) => join(path, name)));
  return [...mounts.toSorted(), ...files.toSorted(), ...outside.toSorted()];
}

/** Whether the request is the good one in all that the method looks at. */
function isRightlyDone(method: DescMethod, value: Request, good: Request): boolean {
  const looksAt = ["volumeId", "targetPath", "stagingTargetPath"].filter((key) => key in good);
  return /^NodeUn/.test(method.name) && looksAt.every((key) => value[key] === good[key]);
}

/** A path below the kubelet's directory may be strange, and is as good as another: what was mounted there goes again. */
async function undo({ node, client }: NodeEdge, method: DescMethod, value: Request, good: Request) {
  const { volumeId, targetPath, stagingTargetPath } = value;
  if (typeof volumeId !== "string") return;
  if (method === rpc.nodePublishVolume && targetPath !== good["targetPath"]) {
    assert.ok(typeof targetPath === "string" && targetPath.startsWith(`${node.kubelet}/`));
    assert.equal((await client.call(rpc.nodeUnpublishVolume, { volumeId, targetPath })).code, "OK");
    assert.ok(!existsSync(targetPath), targetPath);
  }
  if (method === rpc.nodeStageVolume && stagingTargetPath !== good["stagingTargetPath"]) {
    assert.ok(typeof stagingTargetPath === "string" && stagingTargetPath.startsWith(`${node.kubelet}/`));
    assert.equal((await client.call(rpc.nodeUnstageVolume, { volumeId, stagingTargetPath })).code, "OK");
  }
}

if (inMountNamespace()) {
  describe("a hostile text in any field of a request to the node changes nothing", () => {
    for (const method of Node.methods.filter(isUnary)) {
      test(method.name, async (t) => {
        const edge = await startBusy(t);
        const { client } = edge;
        const good = goodRequest(method, edge);
        const before = everything(edge);
        for (const [field, value] of hostileVariants(method.input, good, textsFor(edge))) {
          const what = `${method.name}.${field} = ${inspect(value).slice(0, 300)}`;
          const answer = await client.call(method, value);
          if (answer.code !== "OK") {
            assert.ok([...refusals, "ALREADY_EXISTS"].includes(answer.code), `${what}: ${answer.code}`);
            if (answer.code !== "UNIMPLEMENTED")
              assert.match("details" in answer ? answer.details : "", /: /, what);
            continue;
          }
          assert.ok(!isRightlyDone(method, value, good), `${what}: the test undoes nothing of this kind`);
          await undo(edge, method, value, good);
          assert.deepEqual(everything(edge), before, what);
        }
        assert.deepEqual(everything(edge), before);
      });
    }
  });
}
