import type { Clock } from "../../src/core/clock.ts";

/** Goes on only when somebody sleeps, or says so. */
export class FakeClock implements Clock {
  #nowMs = Date.parse("2026-01-31T12:00:00Z");
  sleptMs = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.sleptMs += ms;
    this.pass(ms);
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }
}
