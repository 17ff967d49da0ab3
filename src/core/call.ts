import type { Log } from "./log.ts";

/**
 * Whether a call has changed anything yet. Until then an unknown error may be final (INTERNAL);
 * after it the caller must not forget the volume, so it becomes UNAVAILABLE.
 */
export class Effects {
  #begun = false;

  get begun(): boolean {
    return this.#begun;
  }

  /** Called right before the first step that could leave something behind. */
  begin(): void {
    this.#begun = true;
  }
}

/** What every operation of the domain gets from its caller. */
export interface Call {
  /** Fires on the caller's deadline, its cancellation, and the process's shutdown. */
  readonly signal: AbortSignal;
  readonly effects: Effects;
  /** When the caller gives up, on the clock of `performance.now()`; absent or infinite where it waits for ever. */
  readonly deadlineMs?: number;
  readonly log: Log;
}
