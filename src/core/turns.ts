import { BerthError } from "./errors.ts";

/** How long somebody waits in line. */
export interface Patience {
  readonly signal: AbortSignal;
  /** On the clock of `performance.now()`; may be infinite. */
  readonly untilMs: number;
  /** What is thrown then. */
  readonly late: () => Error;
}

/** Lets so much work run at once; the rest waits in line. */
export class Turns {
  readonly #atOnceMax: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  /** @throws BerthError `cancelled` when the signal fires before its turn has come, or what `late` makes; then nothing was begun */
  async run<T>(patience: Patience, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#atOnceMax) this.#running += 1;
    else await this.#turn(patience); // whoever has ended hands its place on
    try {
      return await work();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #turn({ signal, untilMs, late }: Patience): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(begin);
        signal.removeEventListener("abort", leave);
      };
      const begin = () => {
        end();
        resolve();
      };
      const leave = () => {
        end();
        reject(
          new BerthError("cancelled", "the call ended while it waited for others", { cause: signal.reason }),
        );
      };
      const giveUp = () => {
        end();
        reject(late());
      };
      const timer = setTimeout(
        giveUp,
        Math.min(Math.max(0, untilMs - performance.now()), timerMsMax),
      ).unref();
      if (signal.aborted) return leave();
      this.#waiting.add(begin);
      signal.addEventListener("abort", leave);
    });
  }
}

/** What setTimeout can count to. */
const timerMsMax = 2 ** 31 - 1;
