import { setFlagsFromString } from "node:v8";

/**
 * From now on V8 collects its heap early instead of letting it grow, for up to a tenth more CPU, and makes no object old
 * from the start: of a few that live long it would conclude that all of their kind do, and the entries of every directory
 * would wait for the next great collection (`make bench-nfs`). As flags of the program these would slow down its start.
 */
export function keepSmall(): void {
  setFlagsFromString("--optimize-for-size");
  setFlagsFromString("--no-allocation-site-pretenuring");
}
