/**
 * Gives back what it takes in, in order and each a fixed time later, with any number under way. Timers of
 * Node.js know whole milliseconds only: the last one is waited out turn by turn of the event loop.
 */
export class DelayLine {
  readonly #delayMs: number;
  readonly #out: (chunk: Buffer) => void;
  readonly #underWay: { readonly chunk: Buffer; readonly dueMs: number }[] = [];
  #waiting = false;

  constructor(delayMs: number, out: (chunk: Buffer) => void) {
    this.#delayMs = delayMs;
    this.#out = out;
  }

  push(chunk: Buffer): void {
    this.#underWay.push({ chunk, dueMs: performance.now() + this.#delayMs });
    if (!this.#waiting) this.#wait();
  }

  #wait(): void {
    const first = this.#underWay[0];
    this.#waiting = first !== undefined;
    if (first === undefined) return;
    const wholeMs = Math.floor(first.dueMs - performance.now()) - 1;
    if (wholeMs >= 1) setTimeout(() => this.#release(), wholeMs);
    else setImmediate(() => this.#release());
  }

  #release(): void {
    const nowMs = performance.now();
    while ((this.#underWay[0]?.dueMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
      const next = this.#underWay.shift();
      if (next !== undefined) this.#out(next.chunk);
    }
    this.#wait();
  }
}
