import { hasCode } from "../core/errors.ts";
import { backoffMs } from "../rpc/backoff.ts";
import { monotonicMs } from "../rpc/deadline-timer.ts";
import { pause, type Until } from "../rpc/pause.ts";
import { nfsLimits } from "./limits.ts";

/**
 * Waits before what a server was too busy for (DELAY, JUKEBOX, GRACE) is tried again. @returns false when too little
 * time is left for an answer, or the caller goes: then the server's last word tells more than a time-out would
 */
export async function waitOut(attempt: number, until: Until): Promise<boolean> {
  const leftMs = until.deadlineMs - monotonicMs() - nfsLimits.lastTryMs;
  if (leftMs <= 0) return false;
  try {
    await pause(Math.min(backoffMs(attempt, nfsLimits.delayMsMin, nfsLimits.delayMsMax), leftMs), until);
    return true;
  } catch (reason) {
    if (!hasCode(reason, "cancelled")) throw reason;
    return false;
  }
}
