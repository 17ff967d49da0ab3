import { type DescMessage, isMessage } from "@bufbuild/protobuf";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import { limits } from "../core/limits.ts";
import {
  type CapacityRange,
  CapacityRangeSchema,
  ControllerExpandVolumeRequestSchema,
  ListVolumesRequestSchema,
  type VolumeCapability,
  VolumeCapability_AccessMode_ModeSchema,
  VolumeCapabilitySchema,
} from "../gen/csi/v1/csi_pb.ts";
import { notOffered } from "./capabilities.ts";
import { impossibleRange, invalidField } from "./field-error.ts";

/** The fields that a request must have, where CSI calls them REQUIRED. */
const requiredFields: Readonly<Record<string, readonly string[]>> = {
  CreateVolumeRequest: ["name", "volume_capabilities"],
  DeleteVolumeRequest: ["volume_id"],
  ValidateVolumeCapabilitiesRequest: ["volume_id", "volume_capabilities"],
  ControllerGetVolumeRequest: ["volume_id"],
  ControllerExpandVolumeRequest: ["volume_id", "capacity_range"],
  NodeStageVolumeRequest: ["volume_id", "staging_target_path", "volume_capability"],
  NodeUnstageVolumeRequest: ["volume_id", "staging_target_path"],
  NodePublishVolumeRequest: ["volume_id", "target_path", "volume_capability"],
  NodeUnpublishVolumeRequest: ["volume_id", "target_path"],
  NodeGetVolumeStatsRequest: ["volume_id", "volume_path"],
  VolumeCapability: ["access_mode"],
};

/** Asked whether a capability is offered; to these "no" is an answer, and no error. */
const asksForCapabilities = ["ValidateVolumeCapabilitiesRequest", "GetCapacityRequest"];

/**
 * The rules of one message, apart from its fields' sizes.
 * @param prefix of its fields' names in messages
 * @param request that it is a part of, or is
 */
export function checkRules(reflected: ReflectMessage, prefix: string, request: DescMessage): void {
  checkRequired(reflected, prefix);
  const { message } = reflected;
  if (isMessage(message, VolumeCapabilitySchema)) checkCapability(message, prefix, request);
  else if (isMessage(message, CapacityRangeSchema)) checkRange(message, prefix, request);
  else if (isMessage(message, ListVolumesRequestSchema) && message.maxEntries < 0) {
    throw invalidField(
      "max_entries",
      `is ${message.maxEntries}`,
      "0 leaves the size of a page to the driver",
    );
  }
}

function checkRequired(message: ReflectMessage, prefix: string): void {
  const required = requiredFields[message.desc.name] ?? [];
  for (const field of message.fields) {
    if (required.includes(field.name) && !message.isSet(field)) {
      throw invalidField(prefix + field.name, "is missing", `CSI requires it in ${message.desc.name}`);
    }
  }
}

function checkCapability(capability: VolumeCapability, prefix: string, request: DescMessage): void {
  if (capability.accessType.case === undefined) {
    throw invalidField(`${prefix}access_type`, "is missing", "set mount");
  }
  const mode = capability.accessMode?.mode ?? 0;
  if (mode === 0 || VolumeCapability_AccessMode_ModeSchema.value[mode] === undefined) {
    throw invalidField(
      `${prefix}access_mode.mode`,
      `is ${mode}, which CSI v1.12 does not define`,
      "name a mode",
    );
  }
  if (capability.accessType.case === "mount") checkMountFlags(capability.accessType.value.mountFlags, prefix);
  const reason = notOffered(capability);
  if (reason !== undefined && !asksForCapabilities.includes(request.name)) {
    throw invalidField(prefix + reason.field, reason.cause, reason.remedy);
  }
}

function checkMountFlags(flags: readonly string[], prefix: string): void {
  const name = `${prefix}mount.mount_flags`;
  const bytes = flags.reduce((sum, flag) => sum + Buffer.byteLength(flag), 0);
  if (bytes > limits.csiMountFlagsBytesMax) {
    throw invalidField(name, `are ${bytes} bytes long in all`, `CSI allows ${limits.csiMountFlagsBytesMax}`);
  }
  const bad = flags.findIndex((flag) => flag === "" || /\p{Cc}/u.test(flag));
  if (bad >= 0) throw invalidField(`${name}[${bad}]`, "is empty or has a control character", "leave it out");
}

function checkRange(range: CapacityRange, prefix: string, request: DescMessage): void {
  const { requiredBytes, limitBytes } = range;
  if (requiredBytes < 0n) throw negative(`${prefix}required_bytes`, requiredBytes);
  if (limitBytes < 0n) throw negative(`${prefix}limit_bytes`, limitBytes);
  if (limitBytes > 0n && limitBytes < requiredBytes) {
    throw impossibleRange(
      `${prefix}limit_bytes`,
      `is ${limitBytes}, and required_bytes is ${requiredBytes}`,
      "no size is in this range",
    );
  }
  const empty = requiredBytes === 0n && limitBytes === 0n;
  if (empty && request.typeName === ControllerExpandVolumeRequestSchema.typeName) {
    throw invalidField(
      `${prefix}required_bytes`,
      "is 0, as is limit_bytes",
      "say how large the volume is to be",
    );
  }
}

function negative(field: string, value: bigint): Error {
  return impossibleRange(field, `is ${value}`, "a size is 0 or more");
}
