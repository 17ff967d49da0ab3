import type { Clock } from "../core/clock.ts";
import type { VolumeName } from "../core/volume-id.ts";
import type { Share } from "../share/share.ts";
import { listNames } from "./catalog.ts";

/** Callers ask for the next page at once. */
const keptMs = 60_000;

/**
 * The names of a share's volumes, for lists that come in pages: read for the first page, and kept for the ones
 * that follow soon. A name that has come since is in the next list; one that has gone has no record by then.
 */
export class NameList {
  readonly #clock: Clock;
  #kept: { readonly names: readonly VolumeName[]; readonly atMs: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In order, from the first after `after`. */
  async from(share: Share, after: string | undefined): Promise<readonly VolumeName[]> {
    const isFresh = this.#kept !== undefined && this.#clock.nowMs() - this.#kept.atMs < keptMs;
    const names = after !== undefined && isFresh && this.#kept ? this.#kept.names : await listNames(share);
    const rest = after === undefined ? names : names.filter((name) => name > after);
    this.#kept = rest.length === 0 ? undefined : { names, atMs: this.#clock.nowMs() };
    return rest;
  }
}
