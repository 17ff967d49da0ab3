import type { Clock } from "../core/clock.ts";
import type { NonceSource } from "../core/nonce.ts";
import type { Share } from "../share/share.ts";
import type { OvercommitRule } from "./overcommit.ts";
import type { Owner } from "./record.ts";

/** What every operation on the volumes of one share works with. */
export interface ShareContext {
  readonly share: Share;
  readonly owner: Owner;
  readonly clock: Clock;
  readonly newNonce: NonceSource;
  /** Only a class names the share, no configuration does: nobody empties its trash. */
  readonly unmanaged?: true;
  /** For classes that have no rule of their own; unlimited unless given. */
  readonly overcommit?: OvercommitRule;
}
