import type { MessageInitShape } from "@bufbuild/protobuf";
import { printVolumeId } from "../core/volume-id.ts";
import {
  ControllerServiceCapability_RPC_Type as Capability,
  type Controller,
  type VolumeSchema,
} from "../gen/csi/v1/csi_pb.ts";
import type { Volume } from "../volumes/volume.ts";
import { capacityFor } from "./capacity.ts";
import { placeRequest, rangeOf } from "./create-volume.ts";
import { listPage } from "./list-volumes.ts";
import type { Placements } from "./placements.ts";
import type { Implementation } from "./service.ts";
import { objection } from "./validate.ts";

const capabilities = [
  Capability.CREATE_DELETE_VOLUME,
  Capability.LIST_VOLUMES,
  Capability.GET_CAPACITY,
  Capability.EXPAND_VOLUME,
  Capability.VOLUME_CONDITION,
  Capability.GET_VOLUME,
  Capability.SINGLE_NODE_MULTI_WRITER,
];

/** What a list looks at, since it is cheap; ControllerGetVolume looks at more. */
const inItsPlace = { abnormal: false, message: "recorded, and its directory is in its place" };

const lost = {
  abnormal: true,
  message:
    "its directory is not in its place: removed, moved away or replaced; ControllerGetVolume says more",
};

/** The life of volumes. Each handler finds the share, calls its volumes, and tells the result. */
export function controller(placements: Placements): Implementation<typeof Controller> {
  return {
    async controllerGetCapabilities() {
      return { capabilities: capabilities.map((type) => ({ type: { case: "rpc", value: { type } } })) };
    },

    async createVolume(message, call) {
      const { volumes, request, warning } = placeRequest(placements, message);
      if (warning !== undefined) call.log.warn(warning, { volumeId: printVolumeId(request.id) });
      return { volume: volumeMessage(placements, await volumes.create(call, request)) };
    },

    async deleteVolume({ volumeId }, call) {
      const found = placements.find(volumeId);
      // What was never a volume is gone (CSI spec, DeleteVolume); but a mistyped handle leaves data behind.
      if (found === undefined)
        call.log.warn("DeleteVolume of an id that is not Berth's: nothing to delete", { volumeId });
      else await found.volumes.delete(call, found.id);
      return {};
    },

    async validateVolumeCapabilities(request, call) {
      const { volumes, id } = placements.get(request.volumeId);
      const message = objection(placements, request, await volumes.get(call, id));
      if (message !== undefined) return { message };
      const { volumeContext, volumeCapabilities, parameters } = request;
      return { confirmed: { volumeContext, volumeCapabilities, parameters } };
    },

    async listVolumes(request, call) {
      const { volumes, nextToken } = await listPage(placements.shares, request, call);
      const entries = volumes.map((volume) => ({
        volume: volumeMessage(placements, volume),
        status: { volumeCondition: volume.state === "lost" ? lost : inItsPlace },
      }));
      return { entries, nextToken };
    },

    async getCapacity(request, call) {
      const { availableBytes, volumeBytesMax } = await capacityFor(placements, request, call);
      return {
        availableCapacity: availableBytes,
        ...(volumeBytesMax !== undefined && { maximumVolumeSize: volumeBytesMax }),
      };
    },

    async controllerExpandVolume({ volumeId, capacityRange }, call) {
      const { volumes, id } = placements.get(volumeId);
      const { sizeBytes } = await volumes.expand(call, id, rangeOf(capacityRange));
      return { capacityBytes: sizeBytes, nodeExpansionRequired: false };
    },

    async controllerGetVolume({ volumeId }, call) {
      const { volumes, id } = placements.get(volumeId);
      const { volume, condition: volumeCondition } = await volumes.inspect(call, id);
      // A record that cannot be read tells no size and no context.
      const message = volume === undefined ? { volumeId } : volumeMessage(placements, volume);
      return { volume: message, status: { volumeCondition } };
    },
  };
}

function volumeMessage(placements: Placements, volume: Volume): MessageInitShape<typeof VolumeSchema> {
  const { id, sizeBytes } = volume;
  return {
    volumeId: printVolumeId(id),
    capacityBytes: sizeBytes,
    volumeContext: placements.contextOf(volume),
  };
}
