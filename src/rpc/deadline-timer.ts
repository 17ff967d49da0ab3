/** Milliseconds that never go back, for deadlines. */
export function monotonicMs(): number {
  return performance.now();
}

/**
 * One timer for the deadlines of many things, because most of them never come to it. It fires at the
 * earliest deadline it was told of; the owner then looks which have passed.
 */
export class DeadlineTimer {
  readonly #expire: (nowMs: number) => number;
  #timer: NodeJS.Timeout | undefined;
  #firesMs = Number.POSITIVE_INFINITY;

  /** @param expire ends what is due by `nowMs` and returns the next deadline, or Infinity */
  constructor(expire: (nowMs: number) => number) {
    this.#expire = expire;
  }

  watch(deadlineMs: number): void {
    if (deadlineMs >= this.#firesMs) return;
    clearTimeout(this.#timer);
    this.#firesMs = deadlineMs;
    const delayMs = Math.max(0, Math.ceil(deadlineMs - monotonicMs()));
    this.#timer = setTimeout(() => this.#fire(), Math.min(delayMs, timerMsMax));
    this.#timer.unref(); // sockets keep the process alive, not deadlines
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#firesMs = Number.POSITIVE_INFINITY;
  }

  #fire(): void {
    this.#firesMs = Number.POSITIVE_INFINITY;
    this.watch(this.#expire(monotonicMs()));
  }
}

/** What setTimeout can count to. */
const timerMsMax = 2 ** 31 - 1;
