/** The Node service over real gRPC, with the kernel's own mounts. */
import type { TestContext } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { nodeService } from "../../src/csi/node.ts";
import {
  VolumeCapability_AccessMode_Mode as Mode,
  Node,
  type NodePublishVolumeRequestSchema,
  type NodeStageVolumeRequestSchema,
  type VolumeCapabilitySchema,
} from "../../src/gen/csi/v1/csi_pb.ts";
import { volumeSize } from "../../src/node/stats/volume-size.ts";
import { type Answer, type EdgeClient, type RecordedLog, ready, startEdge } from "./edge-harness.ts";
import { type FixtureOptions, NodeFixture } from "./node-fixture.ts";

export const rpc = Node.method;

type StageInit = MessageInitShape<typeof NodeStageVolumeRequestSchema>;
type PublishInit = MessageInitShape<typeof NodePublishVolumeRequestSchema>;

export interface NodeEdge {
  readonly node: NodeFixture;
  readonly client: EdgeClient;
  readonly log: RecordedLog;
  stage(more?: StageInit): Promise<Outcome>;
  publish(more?: PublishInit): Promise<Outcome>;
}

/** A status, and what it says. */
export interface Outcome {
  readonly code: string;
  readonly details: string;
}

export function outcomeOf(answer: Answer<unknown>): Outcome {
  return { code: answer.code, details: "details" in answer ? answer.details : "" };
}

export function capability(
  mode: Mode,
  mountFlags: string[] = [],
): MessageInitShape<typeof VolumeCapabilitySchema> {
  return { accessMode: { mode }, accessType: { case: "mount", value: { mountFlags } } };
}

/** A node plugin with the share `default`, which has the volume `pvc-1`. */
export async function startNode(t: TestContext, options: FixtureOptions = {}): Promise<NodeEdge> {
  const node = new NodeFixture(options);
  t.after(() => node[Symbol.dispose]());
  const service = nodeService({
    nodeId: "node-1",
    volumes: node.volumes,
    ephemeral: node.ephemeral,
    stats: node.stats,
    shares: { directories: new Map([["default", node.share]]), exports: new Map() },
    sizeOf: (volumeId, source) => volumeSize(node.helpers, volumeId, source),
  });
  const { client, log } = await startEdge(t, { identity: ready, node: service });
  const { volumeId, staging: stagingTargetPath } = node;
  const volumeCapability = capability(Mode.MULTI_NODE_MULTI_WRITER);
  return {
    node,
    client,
    log,
    async stage(more = {}) {
      const good: StageInit = { volumeId, stagingTargetPath, volumeCapability };
      return outcomeOf(await client.call(rpc.nodeStageVolume, Object.assign(good, more)));
    },
    async publish(more = {}) {
      const targetPath = node.target("a");
      const good: PublishInit = { volumeId, stagingTargetPath, volumeCapability, targetPath };
      return outcomeOf(await client.call(rpc.nodePublishVolume, Object.assign(good, more)));
    },
  };
}
