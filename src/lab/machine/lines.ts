import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { BerthError } from "../../core/errors.ts";

/** The lines that a process prints, for a caller that asks for them one by one. */
export class Lines {
  readonly #lines: AsyncIterator<string>;
  readonly #from: string;

  /** @param from names the process in messages */
  constructor(stream: Readable, from: string) {
    this.#lines = createInterface({ input: stream })[Symbol.asyncIterator]();
    this.#from = from;
  }

  /** @throws BerthError `unavailable` when the process has ended */
  async next(): Promise<string> {
    const line = await this.#lines.next();
    if (line.done === true) throw new BerthError("unavailable", `${this.#from} ended before it answered`);
    return line.value;
  }
}
