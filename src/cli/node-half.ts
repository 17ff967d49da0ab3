import { nodeService } from "../csi/node.ts";
import { Helpers } from "../node/helpers.ts";
import { mountLooker } from "../node/mount-looker.ts";
import { NodeVolumes } from "../node/node-volumes.ts";
import { volumeSize } from "../node/volume-size.ts";
import type { KnownExport, KnownShares } from "../node/volume-source.ts";
import { VolumeStats } from "../node/volume-stats.ts";
import type { Config, ExportConfig } from "./config.ts";
import { ExportVolumes } from "./export-volumes.ts";
import type { NodeOptions } from "./options.ts";
import type { Half, HalfContext } from "./serve.ts";

/** What `berth node` serves. */
export function startNode({ nodeId, kubeletDir }: NodeOptions): (context: HalfContext) => Half {
  return ({ config, log }) => {
    const helpers = new Helpers({ killGroup: (leaderPid) => void process.kill(-leaderPid, "SIGKILL") });
    process.once("exit", () => helpers.close()); // a second signal does not wait: nothing may mount after it
    const parts = { helpers, kubeletDir };
    const exportVolumes = new ExportVolumes(config.exports, log, mountLooker(helpers, kubeletDir));
    return {
      implementations: {
        node: nodeService({
          nodeId,
          volumes: new NodeVolumes(parts),
          stats: new VolumeStats(parts),
          shares: sharesOf(config),
          exportVolumes,
          sizeOf: (volumeId, source, signal) => volumeSize(helpers, volumeId, source, signal),
        }),
      },
      async close() {
        helpers.close();
        await exportVolumes.close();
      },
    };
  };
}

function sharesOf({ directories, exports }: Config): KnownShares {
  return {
    directories: new Map(directories.map(({ name, path }) => [name, path])),
    exports: new Map(exports.map((each) => [each.name, knownExport(each)])),
  };
}

function knownExport({ server, share, tls, mountOptions, ...access }: ExportConfig): KnownExport {
  return {
    server,
    share,
    access: { ...access, tls: tls !== undefined },
    ...(mountOptions === undefined ? {} : { mountOptions }),
  };
}
