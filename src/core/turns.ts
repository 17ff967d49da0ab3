import { BerthError } from "./errors.ts";

/** Lets so much work run at once; the rest waits in line. */
export class Turns {
  readonly #atOnceMax: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  get full(): boolean {
    return this.#running >= this.#atOnceMax;
  }

  /** @throws BerthError `cancelled` when the signal fires before its turn has come; then nothing was begun */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (!this.full) this.#running += 1;
    else await this.#turn(signal); // whoever has ended hands its place on
    try {
      return await work();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
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
      if (signal.aborted) return leave();
      this.#waiting.add(begin);
      signal.addEventListener("abort", leave);
    });
  }
}
