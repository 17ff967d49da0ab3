import { controller } from "../csi/controller.ts";
import type { Half, HalfContext } from "./serve.ts";
import { openShares } from "./shares.ts";

/** What `berth controller` serves, and its work in the background. */
export function startController({ config, driverName, log }: HalfContext): Half {
  // Each file and directory is made with the mode that it is to have; nothing is left to be taken away.
  process.umask(0);
  const shares = openShares(config, { cluster: config.cluster, driver: driverName }, log);
  const reaping = new AbortController();
  const reaped = shares.reap(reaping.signal);
  return {
    implementations: { controller: controller(shares.placements) },
    async close() {
      reaping.abort();
      await reaped;
      await shares.close();
    },
  };
}
