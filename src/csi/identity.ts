import {
  type Identity,
  PluginCapability_Service_Type as ServiceType,
  PluginCapability_VolumeExpansion_Type as VolumeExpansionType,
} from "../gen/csi/v1/csi_pb.ts";
import type { Implementation } from "./service.ts";

export interface IdentityOptions {
  readonly driverName: string;
  readonly version: string;
}

/** Who the driver is. Touches no storage: a hung share must not make the liveness probe kill the driver. */
export function identity(options: IdentityOptions): Implementation<typeof Identity> {
  return {
    async getPluginInfo() {
      return { name: options.driverName, vendorVersion: options.version };
    },

    /** Of the plugin as a whole: every instance answers the same, whichever services it serves (CSI spec). */
    async getPluginCapabilities() {
      return {
        capabilities: [
          { type: { case: "service", value: { type: ServiceType.CONTROLLER_SERVICE } } },
          { type: { case: "volumeExpansion", value: { type: VolumeExpansionType.ONLINE } } },
        ],
      };
    },

    async probe() {
      return { ready: true };
    },
  };
}
