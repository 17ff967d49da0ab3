import { BerthError } from "../../core/errors.ts";
import type { Changes } from "./events.ts";

/** Work in the background of a cluster: counted, ended with the cluster, and never failing unseen. */
export class Tasks {
  readonly signal: AbortSignal;
  readonly #changes: Changes;
  readonly #running = new Map<symbol, string>();
  #failure: unknown;

  /** @param signal ends all of it */
  constructor(signal: AbortSignal, changes: Changes) {
    this.signal = signal;
    this.#changes = changes;
  }

  get areDone(): boolean {
    return this.#running.size === 0;
  }

  /** What is under way, for messages: each thing once. */
  get names(): readonly string[] {
    return [...new Set(this.#running.values())];
  }

  /** @param name what is being done: "reconciling node-1" */
  run(name: string, work: () => Promise<void>): void {
    const id = Symbol(name);
    this.#running.set(id, name);
    const end = (reason?: unknown) => {
      this.#running.delete(id);
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
