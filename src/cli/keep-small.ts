import { setFlagsFromString } from "node:v8";

/**
 * From now on V8 collects its heap early instead of letting it grow: at work on trees that halves what is resident,
 * for about a third more CPU (`make bench-nfs`). As a flag of the program it would slow down the start.
 */
export function keepSmall(): void {
  setFlagsFromString("--optimize-for-size");
}
