import type { Clock } from "../../core/clock.ts";
import { BerthError } from "../../core/errors.ts";
import type { CallResult, Code } from "../csi-client.ts";

/** Waits that double from the first to the longest. */
export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

export type Failure = Extract<CallResult<unknown>, { status: "error" }>;

/**
 * Repeats a step until it succeeds, as Kubernetes does without end.
 * @param signal ends the patience: the error then names the step and its last failure
 * @throws BerthError `deadline-exceeded`
 */
export async function untilOk<T>(
  step: string,
  attempt: () => Promise<CallResult<T>>,
  {
    backoff,
    clock,
    signal,
    onFailure = () => {},
  }: {
    readonly backoff: Backoff;
    readonly clock: Clock;
    readonly signal: AbortSignal;
    /** Hears of each attempt that failed. */
    readonly onFailure?: (failure: Failure) => void;
  },
): Promise<T> {
  for (let waitMs = backoff.firstMs; ; waitMs = Math.min(2 * waitMs, backoff.longestMs)) {
    const result = await attempt();
    if (result.status === "ok") return result.response;
    onFailure(result);
    if (signal.aborted) throw patienceEnded(step, result);
    await clock.sleep(waitMs, signal).catch(() => {
      throw patienceEnded(step, result);
    });
  }
}

function patienceEnded(step: string, { code, message }: Failure): BerthError {
  return new BerthError(
    "deadline-exceeded",
    `${step} still fails with ${code}: ${message}: Kubernetes would go on trying; the lab stops here`,
  );
}

/** The codes after which work may still be running: kubelet must not forget the volume. */
const nonFinal: readonly Code[] = [
  "CANCELLED",
  "DEADLINE_EXCEEDED",
  "UNAVAILABLE",
  "ABORTED",
  "RESOURCE_EXHAUSTED",
];

/** Whether kubelet may take the step for not done (pkg/volume/csi/csi_client.go, `isFinalError`). */
export function isFinal(code: Code): boolean {
  return !nonFinal.includes(code);
}

/** As Go's gRPC prints a status. */
export function printFailure({ code, message }: Failure): string {
  return `rpc error: code = ${code} desc = ${message}`;
}
