import { type Clock, systemClock } from "../../core/clock.ts";

const burstMs = 100;

/** Lets at most so many entries a second pass; those who come too early wait their turn. */
export class RateLimit {
  readonly #msPerEntry: number;
  readonly #clock: Clock;
  /** When the next entry may pass. */
  #freeMs = Number.NEGATIVE_INFINITY;

  /** @param entriesPerSecondMax undefined: no bound */
  constructor(entriesPerSecondMax: number | undefined, clock: Clock = systemClock) {
    this.#msPerEntry = entriesPerSecondMax === undefined ? 0 : 1000 / entriesPerSecondMax;
    this.#clock = clock;
  }

  /** So many entries at once as pass in a tenth of a second: a page of a directory may hold thousands. */
  *parts<T>(entries: readonly T[]): Generator<readonly T[]> {
    if (this.#msPerEntry === 0 || entries.length === 0) {
      yield entries;
      return;
    }
    const partMax = Math.max(1, Math.floor(burstMs / this.#msPerEntry));
    for (let start = 0; start < entries.length; start += partMax) yield entries.slice(start, start + partMax);
  }

  /** Resolves when `entries` more may pass. Rejects with the signal's reason. */
  async pass(entries: number, signal?: AbortSignal): Promise<void> {
    if (this.#msPerEntry === 0) return;
    const nowMs = this.#clock.nowMs();
    const startMs = Math.max(nowMs, this.#freeMs);
    this.#freeMs = startMs + entries * this.#msPerEntry;
    if (startMs > nowMs) await this.#clock.sleep(startMs - nowMs, signal);
  }
}
