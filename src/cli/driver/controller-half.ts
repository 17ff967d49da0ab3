import { controller } from "../../csi/controller.ts";
import { currentMountTable } from "../../node/mounts/mount-table.ts";
import { controllerWarnings } from "./controller-warnings.ts";
import type { Half, HalfContext } from "./serve.ts";
import { openShares } from "./shares.ts";

/** What `berth controller` serves, and its work in the background. */
export function startController({ config, driverName, log }: HalfContext): Half {
  // Each file and directory is made with the mode that it is to have; nothing is left to be taken away.
  process.umask(0);
  if (config.directories.length > 0) {
    for (const warning of controllerWarnings(config.directories, currentMountTable())) log.warn(warning);
  }
  const shares = openShares(config, { cluster: config.cluster, driver: driverName }, log);
  const background = new AbortController();
  const ended = Promise.all([shares.reap(background.signal), shares.measureUsage(background.signal)]);
  return {
    implementations: { controller: controller(shares.placements) },
    async close() {
      background.abort();
      await ended;
      await shares.close();
    },
  };
}
