/** Signals that nobody waits on now, but perhaps soon again: a call makes many requests, one after the other. */
const signalsKeptMax = 64;

/**
 * Tells many waiters of a signal's abort through one listener. A signal searches its listeners one by one
 * for each that comes or goes, which hundreds of calls in flight with one signal would feel; and listeners that come and
 * go with each request cost more than the request's bytes, so one stays for the next.
 */
export class AbortWatch<Waiter> {
  readonly #onAbort: (waiter: Waiter) => void;
  readonly #groups = new Map<AbortSignal, Group<Waiter>>();

  constructor(onAbort: (waiter: Waiter) => void) {
    this.#onAbort = onAbort;
  }

  add(signal: AbortSignal | undefined, waiter: Waiter): void {
    if (signal === undefined) return;
    let group = this.#groups.get(signal);
    if (group === undefined) {
      if (this.#groups.size >= signalsKeptMax) this.#forgetOldest();
      group = new Group(this.#onAbort);
      this.#groups.set(signal, group);
      signal.addEventListener("abort", group);
    }
    group.waiters.add(waiter);
  }

  remove(signal: AbortSignal | undefined, waiter: Waiter): void {
    if (signal !== undefined) this.#groups.get(signal)?.waiters.delete(waiter);
  }

  /** Nobody waits any more. */
  clear(): void {
    for (const [signal, group] of this.#groups) signal.removeEventListener("abort", group);
    this.#groups.clear();
  }

  #forgetOldest(): void {
    for (const [signal, group] of this.#groups) {
      if (group.waiters.size > 0) continue;
      signal.removeEventListener("abort", group);
      this.#groups.delete(signal);
      return;
    }
  }
}

class Group<Waiter> {
  readonly waiters = new Set<Waiter>();
  readonly #onAbort: (waiter: Waiter) => void;

  constructor(onAbort: (waiter: Waiter) => void) {
    this.#onAbort = onAbort;
  }

  /** As the listener of the signal. */
  handleEvent(): void {
    for (const waiter of [...this.waiters]) this.#onAbort(waiter);
  }
}
