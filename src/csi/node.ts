import type { Call } from "../core/call.ts";
import { BerthError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import {
  VolumeCapability_AccessMode_Mode as Mode,
  type Node,
  type NodePublishVolumeRequest,
  NodeServiceCapability_RPC_Type as Rpc,
  VolumeUsage_Unit as Unit,
  type VolumeCapability,
} from "../gen/csi/v1/csi_pb.ts";
import { isEphemeralId } from "../node/ephemeral/ephemeral-id.ts";
import type { EphemeralRequest, EphemeralVolumes } from "../node/ephemeral/ephemeral-volumes.ts";
import type { BindSource } from "../node/mounts/mount-source.ts";
import type { NodeVolumes, PublishRequest } from "../node/node-volumes.ts";
import type { ExportStatsResult } from "../node/stats/export-stats.ts";
import type { VolumeStats, VolumeUsage } from "../node/stats/volume-stats.ts";
import {
  type KnownShares,
  mountSourceOf,
  unmountSourceOf,
  type VolumeContext,
} from "../node/volume-source.ts";
import type { Implementation } from "./service.ts";

export interface NodeServiceParts {
  readonly nodeId: string;
  readonly volumes: NodeVolumes;
  readonly ephemeral: EphemeralVolumes;
  readonly stats: VolumeStats;
  readonly shares: KnownShares;
  /** A volume's size, from its record. */
  readonly sizeOf: (volumeId: string, source: BindSource) => Promise<bigint>;
  readonly exportVolumes?: ExportVolumeStats;
}

/** How full volumes on exports are. */
export interface ExportVolumeStats {
  /** @returns undefined for any other volume */
  stats(volumeId: string, volumePath: string, call: Call): Promise<ExportStatsResult | undefined>;
  forget(volumeId: string): void;
}

const capabilities = [
  Rpc.STAGE_UNSTAGE_VOLUME,
  Rpc.GET_VOLUME_STATS,
  Rpc.VOLUME_CONDITION,
  Rpc.SINGLE_NODE_MULTI_WRITER,
];

/** The Node service of CSI v1.12: no attaching, no expansion on the node. */
export function nodeService(parts: NodeServiceParts): Implementation<typeof Node> {
  const { nodeId, volumes, ephemeral, stats, shares, sizeOf, exportVolumes } = parts;
  checkNodeId(nodeId);
  return {
    async nodeStageVolume(request, call) {
      await volumes.stage({ ...mountOf(request, shares), stagingPath: request.stagingTargetPath }, call);
      return {};
    },
    async nodeUnstageVolume({ volumeId, stagingTargetPath }, call) {
      await volumes.unstage(
        { volumeId, source: unmountSourceOf(volumeId, shares), path: stagingTargetPath },
        call,
      );
      stats.forget(volumeId);
      exportVolumes?.forget(volumeId);
      return {};
    },
    async nodePublishVolume(request, call) {
      if (isInline(request)) {
        await ephemeral.publish(inlineOf(request), call);
        return {};
      }
      await volumes.publish(publishOf(request, shares), call);
      return {};
    },
    async nodeUnpublishVolume({ volumeId, targetPath }, call) {
      if (isEphemeralId(volumeId)) {
        await ephemeral.unpublish(volumeId, targetPath, call);
        exportVolumes?.forget(volumeId);
        return {};
      }
      await volumes.unpublish(
        { volumeId, source: unmountSourceOf(volumeId, shares), path: targetPath },
        call,
      );
      return {};
    },
    async nodeGetVolumeStats({ volumeId, volumePath }, call) {
      const ofExport = await exportVolumes?.stats(volumeId, volumePath, call);
      if (ofExport !== undefined) {
        const { usage, condition } = ofExport;
        return { usage: usage === undefined ? [] : usageMessages(usage), volumeCondition: condition };
      }
      const source = directoryOf(volumeId, shares);
      const sizeBytes = () => sizeOf(volumeId, source);
      const { usage, message } = await stats.measure({ volumeId, source, path: volumePath, sizeBytes }, call);
      return { usage: usageMessages(usage), volumeCondition: { abnormal: false, message } };
    },
    async nodeGetInfo() {
      return { nodeId };
    },
    async nodeGetCapabilities() {
      return { capabilities: capabilities.map((type) => ({ type: { case: "rpc", value: { type } } })) };
    },
  };
}

/** @throws BerthError `invalid-argument` */
function checkNodeId(nodeId: string): void {
  if (nodeId !== "" && Buffer.byteLength(nodeId) <= limits.csiNodeIdBytesMax) return;
  throw new BerthError(
    "invalid-argument",
    `node id ${JSON.stringify(nodeId.slice(0, 200))} has not 1 to ${limits.csiNodeIdBytesMax} bytes: give --node-id the node's name`,
  );
}

const manyTargets: ReadonlySet<Mode> = new Set([
  Mode.SINGLE_NODE_MULTI_WRITER,
  Mode.MULTI_NODE_READER_ONLY,
  Mode.MULTI_NODE_SINGLE_WRITER,
  Mode.MULTI_NODE_MULTI_WRITER,
]);

interface MountRequest {
  readonly volumeId: string;
  readonly volumeCapability?: VolumeCapability | undefined;
  readonly volumeContext: VolumeContext;
}

function mountOf({ volumeId, volumeCapability, volumeContext }: MountRequest, shares: KnownShares) {
  const source = mountSourceOf(volumeId, volumeContext, shares);
  const mode = modeOf(volumeCapability);
  const access = volumeCapability?.accessType;
  return {
    volumeId,
    source,
    readOnly: mode === Mode.SINGLE_NODE_READER_ONLY || mode === Mode.MULTI_NODE_READER_ONLY,
    mountFlags: access?.case === "mount" ? access.value.mountFlags : [],
  };
}

function publishOf(request: NodePublishVolumeRequest, shares: KnownShares): PublishRequest {
  const mount = mountOf(request, shares);
  return {
    ...mount,
    readOnly: mount.readOnly || request.readonly,
    stagingPath: stagingPathOf(request.stagingTargetPath),
    targetPath: request.targetPath,
    targets: manyTargets.has(modeOf(request.volumeCapability)) ? "many" : "one",
  };
}

function modeOf(capability: VolumeCapability | undefined): Mode {
  return capability?.accessMode?.mode ?? Mode.UNKNOWN;
}

/** Kubelet says of a volume that stands in the pod itself (CSIDriver `podInfoOnMount: true`). */
function isInline({ volumeContext }: NodePublishVolumeRequest): boolean {
  return volumeContext["csi.storage.k8s.io/ephemeral"] === "true";
}

function inlineOf(request: NodePublishVolumeRequest): EphemeralRequest {
  const { volumeId, volumeContext: context, targetPath, volumeCapability, readonly: readOnly } = request;
  const access = volumeCapability?.accessType;
  const mountFlags = access?.case === "mount" ? access.value.mountFlags : [];
  return { volumeId, context, targetPath, readOnly, mountFlags };
}

/** @throws BerthError `failed-precondition`: staging is advertised, so a path must be there (CSI, NodePublishVolume) */
function stagingPathOf(path: string): string {
  if (path !== "") return path;
  throw new BerthError(
    "failed-precondition",
    "staging_target_path is empty: stage the volume, and say where",
  );
}

/** @throws BerthError `not-found` for an id that is not ours, `failed-precondition` for a share that is not here */
function directoryOf(volumeId: string, shares: KnownShares): BindSource {
  const source = mountSourceOf(volumeId, {}, shares);
  if (source.kind === "bind") return source;
  throw new BerthError("not-found", `volume ${volumeId} is not mounted there: publish it first`);
}

function usageMessages(usage: VolumeUsage) {
  const { totalBytes, usedBytes, availableBytes, usedInodes, availableInodes } = usage;
  const bytes = { unit: Unit.BYTES, total: totalBytes, used: usedBytes, available: availableBytes };
  if (availableInodes === undefined) return [bytes];
  const total = usedInodes + availableInodes;
  return [bytes, { unit: Unit.INODES, total, used: usedInodes, available: availableInodes }];
}
