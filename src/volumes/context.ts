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
  /** For classes that have no rule of their own; unlimited unless given. */
  readonly overcommit?: OvercommitRule;
}
