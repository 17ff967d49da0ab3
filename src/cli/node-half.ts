import { systemClock } from "../core/clock.ts";
import { node } from "../csi/node.ts";
import { Helpers } from "../node/helpers.ts";
import { readMountTable } from "../node/mount-table.ts";
import { nodeLimits } from "../node/node-limits.ts";
import { NodeVolumes } from "../node/node-volumes.ts";
import { VolumeStatistics } from "../node/volume-stats.ts";
import type { NodeOptions } from "./options.ts";
import type { Half, HalfContext } from "./serve.ts";

/** What `berth node` serves. */
export function startNode({ nodeId, kubeletDir }: NodeOptions): (context: HalfContext) => Half {
  return ({ config }) => {
    const paths = new Map(config.directories.map(({ name, path }) => [name, path]));
    const helpers = new Helpers({ killGroup: (leaderPid) => void process.kill(-leaderPid, "SIGKILL") });
    const parts = { helpers, kubeletDir, readTable: readMountTable, limits: nodeLimits };
    return {
      implementations: {
        node: node({
          nodeId,
          volumes: new NodeVolumes(parts),
          statistics: new VolumeStatistics(parts, systemClock.nowMs),
          sourceOf({ type, name, source: shareName }) {
            const sharePath = type === "directory" ? paths.get(shareName) : undefined;
            return sharePath === undefined ? undefined : { kind: "bind", shareName, sharePath, name };
          },
        }),
      },
      async close() {
        helpers.close();
      },
    };
  };
}
