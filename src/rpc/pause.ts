import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "./deadline-timer.ts";
import { RpcError } from "./rpc-error.ts";

/** By when something must have ended, and who may end it sooner. */
export interface Until {
  /** On the clock of `monotonicMs`. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Waits, but never beyond the deadline. @throws RpcError `cancelled` */
export async function pause(ms: number, { deadlineMs, signal }: Until): Promise<void> {
  const waitMs = Math.max(0, Math.min(ms, deadlineMs - monotonicMs()));
  try {
    await delay(waitMs, undefined, signal === undefined ? {} : { signal });
  } catch (cause) {
    throw new RpcError({ kind: "cancelled" }, "cancelled while waiting to try again", { cause });
  }
}

/** Awaits what others share, each with a deadline of its own. @throws RpcError `timeout`, `cancelled` */
export async function within<T>(shared: Promise<T>, { deadlineMs, signal }: Until): Promise<T> {
  const timeout = new AbortController();
  const ends = signal === undefined ? timeout.signal : AbortSignal.any([timeout.signal, signal]);
  const timer = setTimeout(() => timeout.abort(), Math.max(0, deadlineMs - monotonicMs()));
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(timeout.signal.aborted ? timedOut() : cancelled(signal));
  if (ends.aborted) stop();
  else ends.addEventListener("abort", stop);
  try {
    return await Promise.race([shared, promise]);
  } finally {
    clearTimeout(timer);
    ends.removeEventListener("abort", stop);
  }
}

function timedOut(): RpcError {
  return new RpcError({ kind: "timeout" }, "no answer in time: the session with the server is not back yet");
}

function cancelled(signal: AbortSignal | undefined): RpcError {
  return new RpcError({ kind: "cancelled" }, "cancelled", { cause: signal?.reason });
}
