import { median } from "../table.ts";

export interface Timing {
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly mostMs: number;
  readonly perSecond: number;
}

/** Each of `count` calls once, so many at a time. */
export async function timed(
  callsInFlight: number,
  count: number,
  work: (index: number) => Promise<unknown>,
): Promise<Timing> {
  const durationsMs: number[] = [];
  const startMs = performance.now();
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const beginMs = performance.now();
      await work(next++);
      durationsMs.push(performance.now() - beginMs);
    }
  };
  await Promise.all(Array.from({ length: callsInFlight }, worker));
  const perSecond = (count / (performance.now() - startMs)) * 1000;
  const sorted = durationsMs.toSorted((a, b) => a - b);
  return {
    medianMs: median(durationsMs),
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
    mostMs: sorted.at(-1) ?? Number.NaN,
    perSecond,
  };
}
