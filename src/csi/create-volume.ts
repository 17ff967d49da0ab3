import { BerthError } from "../core/errors.ts";
import type {
  CreateVolumeRequest,
  CapacityRange as RangeMessage,
  TopologyRequirement,
} from "../gen/csi/v1/csi_pb.ts";
import type { ShareVolumes } from "../volumes/share-volumes.ts";
import type { CapacityRange, VolumeRequest } from "../volumes/volume.ts";
import { accessModeOf, mountFlagsOf } from "./capabilities.ts";
import { invalidField } from "./field-error.ts";
import { claimOf, classParameters } from "./parameters.ts";
import type { Placements } from "./placements.ts";

/**
 * What a CreateVolumeRequest asks of which share. Touches no storage.
 * @throws BerthError `invalid-argument` for what Berth does not offer, or a class that is wrong
 */
export function placeRequest(
  placements: Placements,
  message: CreateVolumeRequest,
): { volumes: ShareVolumes; request: VolumeRequest; warning: string | undefined } {
  refuseNotOffered(message);
  const parameters = classParameters(message.parameters);
  const claim = claimOf(message.parameters);
  const placement = placements.of(parameters);
  const { volumes, warning, ...placed } = placement.place(parameters, message.name, claim);
  for (const capability of message.volumeCapabilities) {
    const problem = placement.mountProblem(mountFlagsOf(capability), {});
    if (problem !== undefined) throw new BerthError("invalid-argument", problem);
  }
  const request: VolumeRequest = {
    ...placed,
    requestedName: message.name,
    capacity: rangeOf(message.capacityRange),
    accessModes: [...new Set(message.volumeCapabilities.map(accessModeOf))],
    mountFlags: [...new Set(message.volumeCapabilities.flatMap(mountFlagsOf))],
    parameters,
    ...(claim && { claim }),
  };
  return { volumes, request, warning };
}

function refuseNotOffered(message: CreateVolumeRequest): void {
  if (message.volumeContentSource !== undefined) {
    throw invalidField("volume_content_source", "is not offered", "create an empty volume");
  }
  if (Object.keys(message.mutableParameters).length > 0) {
    throw invalidField("mutable_parameters", "are not offered", "remove the VolumeAttributesClass");
  }
  if (hasTopology(message.accessibilityRequirements)) {
    throw invalidField(
      "accessibility_requirements",
      "are not offered",
      "every node reaches every volume; remove allowedTopologies",
    );
  }
}

function hasTopology(requirement: TopologyRequirement | undefined): boolean {
  const topologies = [...(requirement?.requisite ?? []), ...(requirement?.preferred ?? [])];
  return topologies.some(({ segments }) => Object.keys(segments).length > 0);
}

/** Without a range any size will do. */
export function rangeOf(range: RangeMessage | undefined): CapacityRange {
  return { requiredBytes: range?.requiredBytes ?? 0n, limitBytes: range?.limitBytes ?? 0n };
}
