/** One line of `berth nfs bench`. */
export interface Measured {
  readonly step: string;
  readonly perSecond: number;
  readonly unit: "calls" | "entries" | "MiB";
  /** Of single calls, where they were timed. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

export interface CallLimits {
  readonly inFlight: number;
  readonly seconds: number;
  readonly callsMax: number;
  readonly signal: AbortSignal;
}

const mib = 1024 * 1024;

/** Calls, so many at once, until the time is over. The first failure ends it. */
export async function measureCalls(
  step: string,
  { inFlight, seconds, callsMax, signal }: CallLimits,
  call: (index: number) => Promise<unknown>,
): Promise<Measured> {
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  const tookMs: number[] = [];
  let next = 0;
  const worker = async () => {
    for (let nowMs = startMs; nowMs < endMs && next < callsMax; ) {
      signal.throwIfAborted();
      const beginMs = performance.now();
      await call(next++);
      nowMs = performance.now();
      tookMs.push(nowMs - beginMs);
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: inFlight }, worker));
  const failed = workers.find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const perSecond = (tookMs.length * 1000) / (performance.now() - startMs);
  tookMs.sort((a, b) => a - b);
  return { step, perSecond, unit: "calls", p50Ms: at(tookMs, 0.5), p99Ms: at(tookMs, 0.99) };
}

function at(sorted: readonly number[], fraction: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? 0;
}

/** @param work gives how many items it had to do with */
export async function measureItems(
  step: string,
  unit: "entries" | "MiB",
  work: () => Promise<number>,
): Promise<Measured> {
  const startMs = performance.now();
  const items = await work();
  return { step, perSecond: (items * 1000) / (performance.now() - startMs), unit };
}

/** @param work gives the bytes that it moved */
export async function measureTransfer(step: string, work: () => Promise<number>): Promise<Measured> {
  return await measureItems(step, "MiB", async () => (await work()) / mib);
}
