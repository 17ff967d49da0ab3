import type { UsageRecord } from "../../core/usage-record.ts";

export interface UsagePace {
  /** Between two measurements of a volume that changes. */
  readonly intervalMs: number;
  readonly entriesPerSecondMax: number;
  /** Of all time, how much may go into measuring: 0 to 1. */
  readonly timeShareMax: number;
}

/**
 * What an operator with 2,000 claims would choose: 5,000 entries a second are a few percent of what an NFS
 * server lists, and measure 2,000 volumes of 5,000 files in about an hour.
 */
export const usagePaceDefaults: UsagePace = {
  intervalMs: 3_600_000,
  entriesPerSecondMax: 5_000,
  timeShareMax: 0.5,
};

/** A new volume is looked at after a minute, then after two, four, …, until it is as old as the interval. */
const youngMsMin = 60_000;
/** What does not change is looked at up to 8 times less often. */
const quietRoundsMax = 3;
/** A volume that takes long is looked at so much less often, in terms of its own time. */
const timesItsDuration = 20;

export interface Measured {
  readonly usedBytes: bigint;
  readonly usedInodes: bigint;
  readonly measuredMs: number;
  readonly durationMs: number;
}

/** When a volume is to be measured next, and how often it was found unchanged. */
export function planNext(
  measured: Measured,
  before: UsageRecord | undefined,
  createdMs: number,
  { intervalMs }: UsagePace,
): { readonly quietRounds: number; readonly nextMs: number } {
  const isQuiet = before?.usedBytes === measured.usedBytes && before.usedInodes === measured.usedInodes;
  const quietRounds = isQuiet ? Math.min(before.quietRounds + 1, quietRoundsMax) : 0;
  const ageMs = Math.max(measured.measuredMs - createdMs, Math.min(youngMsMin, intervalMs));
  const waitMs = Math.max(
    Math.min(ageMs, intervalMs * 2 ** quietRounds),
    measured.durationMs * timesItsDuration,
  );
  return { quietRounds, nextMs: measured.measuredMs + measured.durationMs + Math.ceil(waitMs) };
}
