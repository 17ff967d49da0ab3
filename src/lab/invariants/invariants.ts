import { deleteUnused } from "./delete-unused.ts";
import { mountedOnce } from "./mounted-once.ts";
import { oneDirectory } from "./one-directory.ts";
import { ownNode } from "./own-node.ts";
import { readElsewhere } from "./read-elsewhere.ts";
import { unmountOrder } from "./unmount-order.ts";
import type { Invariant } from "./verdict.ts";

/** The rules that the experiment shows, which every version must keep. */
export const invariants: readonly Invariant[] = [
  mountedOnce,
  unmountOrder,
  ownNode,
  oneDirectory,
  deleteUnused,
  readElsewhere,
];
