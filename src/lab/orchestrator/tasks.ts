import { BerthError } from "../../core/errors.ts";
import type { Changes } from "./events.ts";

/** Work in the background of a cluster: counted, ended with the cluster, and never failing unseen. */
export class Tasks {
  readonly signal: AbortSignal;
  readonly #changes: Changes;
  #running = 0;
  #failure: unknown;

  /** @param signal ends all of it */
  constructor(signal: AbortSignal, changes: Changes) {
    this.signal = signal;
    this.#changes = changes;
  }

  get areDone(): boolean {
    return this.#running === 0;
  }

  run(work: () => Promise<void>): void {
    this.#running += 1;
    const end = (reason?: unknown) => {
      this.#running -= 1;
      if (!this.signal.aborted) this.#failure ??= reason;
      this.#changes.notify();
    };
    work().then(() => end(), end);
  }

  /** Resolves once `isSo` holds. @throws what went wrong in the background, or the signal's reason */
  async until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    await this.#changes.until(() => this.#failure !== undefined || isSo(), signal);
    if (this.#failure === undefined || isSo()) return;
    throw BerthError.from(this.#failure);
  }
}
