/** Shares out a bounded amount, such as memory; first come, first served. */
export class Budget {
  readonly #total: number;
  #free: number;
  readonly #waiting: { readonly amount: number; readonly go: () => void }[] = [];

  constructor(total: number) {
    this.#total = total;
    this.#free = total;
  }

  /** Waits until `amount` is free, and keeps it during the work. What exceeds the total takes all of it. */
  async use<R>(amount: number, work: () => Promise<R>): Promise<R> {
    const taken = Math.min(amount, this.#total);
    if (this.#waiting.length > 0 || taken > this.#free) {
      await new Promise<void>((go) => this.#waiting.push({ amount: taken, go }));
    } else {
      this.#free -= taken;
    }
    try {
      return await work();
    } finally {
      this.#free += taken;
      this.#admit();
    }
  }

  #admit(): void {
    for (
      let [first] = this.#waiting;
      first !== undefined && first.amount <= this.#free;
      [first] = this.#waiting
    ) {
      this.#waiting.shift();
      this.#free -= first.amount;
      first.go();
    }
  }
}
