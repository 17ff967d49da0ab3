import type { Clock } from "../../core/clock.ts";
import { Identity } from "../../gen/csi/v1/csi_pb.ts";
import type { Caller } from "../calls.ts";
import { untilOk } from "./retry.ts";

const probeTimeoutMs = 10_000;
const backoff = { firstMs: 1_000, longestMs: 1_000 };

/** Probe every second until the driver is ready, as all sidecars do (csi-lib-utils, `ProbeForever`). */
export async function untilReady(caller: Caller, clock: Clock, signal: AbortSignal): Promise<void> {
  const how = { why: "the sidecar waits until the driver is ready", timeoutMs: probeTimeoutMs };
  const probe = async () => {
    const result = await caller.call(Identity.method.probe, {}, how);
    if (result.status === "error" || result.response.ready !== false) return result;
    return { status: "error", code: "UNAVAILABLE", message: "the driver says that it is not ready" } as const;
  };
  await untilOk("Probe", probe, { backoff, clock, signal });
}
