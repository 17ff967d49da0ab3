import { BerthError } from "./errors.ts";

/**
 * One operation at a time for each key. A second one is not queued but refused: CSI wants ABORTED
 * (spec, "error scheme": operation pending for volume), and the caller comes again.
 */
export class KeyedLock {
  readonly #held = new Map<string, string>();

  /** Runs `work` while holding `key`. @throws BerthError `aborted` when another holds it */
  async run<T>(key: string, what: string, work: () => Promise<T>): Promise<T> {
    const holder = this.#held.get(key);
    if (holder !== undefined) {
      throw new BerthError(
        "aborted",
        `${what} of ${key}: ${holder} of the same volume is still running; retry`,
      );
    }
    this.#held.set(key, what);
    try {
      return await work();
    } finally {
      this.#held.delete(key);
    }
  }

  get size(): number {
    return this.#held.size;
  }
}
