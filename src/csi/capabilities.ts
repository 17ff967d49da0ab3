import { assert } from "../core/assert.ts";
import { VolumeCapability_AccessMode_Mode as Mode, type VolumeCapability } from "../gen/csi/v1/csi_pb.ts";
import type { AccessMode } from "../volumes/volume.ts";

/** Why a capability is refused, in the parts of a message. */
export interface NotOffered {
  /** Within the capability. */
  readonly field: string;
  readonly cause: string;
  readonly remedy: string;
}

/** What of a well-formed capability Berth does not have; undefined when it offers all of it. */
export function notOffered({ accessType }: VolumeCapability): NotOffered | undefined {
  if (accessType.case === "block") {
    return { field: "block", cause: "is not offered", remedy: "Berth's volumes are directories; use mount" };
  }
  if (accessType.case === "mount" && accessType.value.volumeMountGroup !== "") {
    return {
      field: "mount.volume_mount_group",
      cause: "is not offered",
      remedy: "set the directory's gid in the StorageClass",
    };
  }
  return undefined;
}

const accessModes: ReadonlyMap<Mode | number, AccessMode> = new Map([
  [Mode.SINGLE_NODE_WRITER, "SINGLE_NODE_WRITER"],
  [Mode.SINGLE_NODE_READER_ONLY, "SINGLE_NODE_READER_ONLY"],
  [Mode.MULTI_NODE_READER_ONLY, "MULTI_NODE_READER_ONLY"],
  [Mode.MULTI_NODE_SINGLE_WRITER, "MULTI_NODE_SINGLE_WRITER"],
  [Mode.MULTI_NODE_MULTI_WRITER, "MULTI_NODE_MULTI_WRITER"],
  [Mode.SINGLE_NODE_SINGLE_WRITER, "SINGLE_NODE_SINGLE_WRITER"],
  [Mode.SINGLE_NODE_MULTI_WRITER, "SINGLE_NODE_MULTI_WRITER"],
]);

/** The access mode of a capability that `checkRequest` has passed. */
export function accessModeOf(capability: VolumeCapability): AccessMode {
  const mode = accessModes.get(capability.accessMode?.mode ?? Mode.UNKNOWN);
  assert(mode !== undefined, "checkRequest lets no unknown access mode pass");
  return mode;
}

/** The mount flags of a capability. They may hold secrets: no log, no message shows them. */
export function mountFlagsOf({ accessType }: VolumeCapability): readonly string[] {
  return accessType.case === "mount" ? accessType.value.mountFlags : [];
}
