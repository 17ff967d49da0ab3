import type { Clock } from "../core/clock.ts";
import type { Log, LogFields } from "../core/log.ts";

/** The same warning comes again after this long, so that whoever begins to read a log finds it. */
const againMs = 3_600_000;

interface Told {
  readonly message: string;
  readonly atMs: number;
}

/** Warnings of work that is tried again and again: each is told once, when it changes, and once an hour. */
export class RepeatedWarnings {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #told = new Map<string, Told>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** @param key what the warning is about */
  warn(key: string, message: string, fields: LogFields): void {
    const told = this.#told.get(key);
    const nowMs = this.#clock.nowMs();
    if (told?.message === message && nowMs - told.atMs < againMs) return;
    this.#told.set(key, { message, atMs: nowMs });
    this.#log.warn(message, fields);
  }

  /** What was warned of is over: that is told too, if anything was. */
  over(key: string, message: string, fields: LogFields): void {
    if (this.#told.delete(key)) this.#log.info(message, fields);
  }

  /** Forgets what is about nothing that there still is. */
  keep(isThere: (key: string) => boolean): void {
    for (const key of this.#told.keys()) if (!isThere(key)) this.#told.delete(key);
  }
}
