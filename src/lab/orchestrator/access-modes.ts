import { VolumeCapability_AccessMode_Mode as Mode } from "../../gen/csi/v1/csi_pb.ts";
import type { ClaimAccessMode } from "./objects.ts";

/**
 * CSI's access mode for a claim's. What ReadWriteOnce means depends on the driver: Kubernetes lets
 * several pods of one node share it, which CSI can only say to a driver that has
 * SINGLE_NODE_MULTI_WRITER (KEP-2485).
 */
export function csiAccessMode(mode: ClaimAccessMode, hasSingleNodeMultiWriter: boolean): Mode {
  switch (mode) {
    case "ReadWriteMany":
      return Mode.MULTI_NODE_MULTI_WRITER;
    case "ReadOnlyMany":
      return Mode.MULTI_NODE_READER_ONLY;
    case "ReadWriteOnce":
      return hasSingleNodeMultiWriter ? Mode.SINGLE_NODE_MULTI_WRITER : Mode.SINGLE_NODE_WRITER;
    case "ReadWriteOncePod":
      return Mode.SINGLE_NODE_SINGLE_WRITER;
  }
}
