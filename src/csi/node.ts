import type { Call } from "../core/call.ts";
import { BerthError } from "../core/errors.ts";
import { parseVolumeId, type VolumeId } from "../core/volume-id.ts";
import {
  NodeServiceCapability_RPC_Type as Capability,
  type Node,
  VolumeUsage_Unit as Unit,
  type VolumeCapability,
} from "../gen/csi/v1/csi_pb.ts";
import type { MountSource } from "../node/mount-source.ts";
import type { NodeVolumes } from "../node/node-volumes.ts";
import type { Amount, VolumeStatistics } from "../node/volume-stats.ts";
import { accessModeOf, mountFlagsOf } from "./capabilities.ts";
import { invalidField } from "./field-error.ts";
import type { Implementation } from "./service.ts";

export interface NodeParts {
  readonly nodeId: string;
  readonly volumes: NodeVolumes;
  readonly statistics: VolumeStatistics;
  /** What is mounted for a volume; undefined when this node knows no such share. */
  readonly sourceOf: (id: VolumeId) => MountSource | undefined;
}

const capabilities = [
  Capability.STAGE_UNSTAGE_VOLUME,
  Capability.GET_VOLUME_STATS,
  Capability.SINGLE_NODE_MULTI_WRITER,
];

/** Volumes on this node. */
export function node({ nodeId, volumes, statistics, sourceOf }: NodeParts): Implementation<typeof Node> {
  /** @throws BerthError `not-found` for an id that is not ours, `failed-precondition` for an unknown share */
  const knownSource = (volumeId: string): MountSource => {
    const id = parseVolumeId(volumeId);
    if (id === undefined) throw new BerthError("not-found", `${volumeId} is no volume of Berth's`);
    const source = sourceOf(id);
    if (source !== undefined) return source;
    throw new BerthError(
      "failed-precondition",
      `volume ${volumeId} lies on ${id.type} ${id.source}, which this node's configuration does not name: add it`,
    );
  };
  /** What cannot be known can still be absent: then there is nothing to undo. */
  const anySource = (volumeId: string): MountSource | undefined => {
    const id = parseVolumeId(volumeId);
    return id === undefined ? undefined : sourceOf(id);
  };

  return {
    async nodeGetCapabilities() {
      return { capabilities: capabilities.map((type) => ({ type: { case: "rpc", value: { type } } })) };
    },

    async nodeGetInfo() {
      return { nodeId };
    },

    async nodeStageVolume({ volumeId, stagingTargetPath, volumeCapability }, call) {
      const source = knownSource(volumeId);
      const capability = present(volumeCapability, "volume_capability");
      await volumes.stage(
        { volumeId, source, stagingPath: stagingTargetPath, ...wishOf(capability, false) },
        call,
      );
      return {};
    },

    async nodeUnstageVolume({ volumeId, stagingTargetPath }, call) {
      await volumes.unstage({ volumeId, source: anySource(volumeId), path: stagingTargetPath }, call);
      statistics.forget(volumeId);
      return {};
    },

    async nodePublishVolume(request, call) {
      const { volumeId, stagingTargetPath, targetPath, readonly } = request;
      const source = knownSource(volumeId);
      const capability = present(request.volumeCapability, "volume_capability");
      if (stagingTargetPath === "") {
        throw new BerthError(
          "failed-precondition",
          `staging_target_path is missing: call NodeStageVolume of volume ${volumeId} first, and name its path`,
        );
      }
      const targets = isForOneTarget(capability) ? "one" : "many";
      const wish = wishOf(capability, readonly);
      await volumes.publish(
        { volumeId, source, stagingPath: stagingTargetPath, targetPath, targets, ...wish },
        call,
      );
      return {};
    },

    async nodeUnpublishVolume({ volumeId, targetPath }, call) {
      await volumes.unpublish({ volumeId, source: anySource(volumeId), path: targetPath }, call);
      return {};
    },

    async nodeGetVolumeStats({ volumeId, volumePath }, call: Call) {
      const source = knownSource(volumeId);
      const { bytes, inodes } = await statistics.of({ volumeId, source, path: volumePath }, call);
      return { usage: [usage(Unit.BYTES, bytes), usage(Unit.INODES, inodes)] };
    },
  };
}

function wishOf(capability: VolumeCapability, readonly: boolean) {
  const mode = accessModeOf(capability);
  const readOnly = readonly || mode === "SINGLE_NODE_READER_ONLY" || mode === "MULTI_NODE_READER_ONLY";
  return { readOnly, mountFlags: mountFlagsOf(capability) };
}

/** CSI spec, NodePublishVolume: these modes allow one target path on a node. */
function isForOneTarget(capability: VolumeCapability): boolean {
  const mode = accessModeOf(capability);
  return mode === "SINGLE_NODE_WRITER" || mode === "SINGLE_NODE_SINGLE_WRITER";
}

function present<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw invalidField(field, "is missing", "CSI requires it");
  return value;
}

function usage(unit: Unit, { total, used, available }: Amount) {
  return { unit, total, used, available };
}
