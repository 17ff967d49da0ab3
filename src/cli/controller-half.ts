import { controller } from "../csi/controller.ts";
import { Placements } from "../csi/placements.ts";
import { openDirectories } from "./directories.ts";
import type { Half, HalfContext } from "./serve.ts";

/** What `berth controller` serves, and its work in the background. */
export function startController({ config, driverName, log }: HalfContext): Half {
  const directories = openDirectories(config, { cluster: config.cluster, driver: driverName }, log);
  const reaping = new AbortController();
  const reaped = directories.reap(reaping.signal);
  return {
    implementations: { controller: controller(new Placements([directories.placement])) },
    async close() {
      reaping.abort();
      await reaped;
      await directories.close();
    },
  };
}
