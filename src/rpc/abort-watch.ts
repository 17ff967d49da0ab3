/**
 * Tells many waiters of a signal's abort through one listener. A signal searches its listeners one by one
 * for each that comes or goes, which hundreds of calls in flight with one signal would feel.
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
      group = new Group(this.#onAbort);
      this.#groups.set(signal, group);
      signal.addEventListener("abort", group);
    }
    group.waiters.add(waiter);
  }

  remove(signal: AbortSignal | undefined, waiter: Waiter): void {
    const group = signal === undefined ? undefined : this.#groups.get(signal);
    if (signal === undefined || group === undefined) return;
    group.waiters.delete(waiter);
    if (group.waiters.size > 0) return;
    this.#groups.delete(signal);
    signal.removeEventListener("abort", group);
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
