import type { ValidateVolumeCapabilitiesRequest } from "../gen/csi/v1/csi_pb.ts";
import type { Volume } from "../volumes/volume.ts";
import { mountFlagsOf, notOffered } from "./capabilities.ts";
import { classParameters } from "./parameters.ts";
import type { Placements } from "./placements.ts";

/**
 * Why a volume cannot be used as a request asks, as an answer and not an error; undefined when it can.
 * Any access mode will do: a directory serves them all, and the node keeps to them. The context is not
 * compared, because others add to it; its mount options must be such as a node takes.
 */
export function objection(
  placements: Placements,
  request: ValidateVolumeCapabilitiesRequest,
  volume: Volume,
): string | undefined {
  for (const [index, capability] of request.volumeCapabilities.entries()) {
    const reason = notOffered(capability);
    if (reason !== undefined) {
      return `volume_capabilities[${index}].${reason.field} ${reason.cause}: ${reason.remedy}`;
    }
    const problem = placements.mountProblem(volume, mountFlagsOf(capability), request.volumeContext);
    if (problem !== undefined) return problem;
  }
  if (Object.keys(request.mutableParameters).length > 0) return "mutable_parameters are not offered";
  for (const [key, value] of Object.entries(classParameters(request.parameters))) {
    if (volume.parameters[key] !== value)
      return `parameter ${key} differs from the one of the volume's class`;
  }
  return undefined;
}
