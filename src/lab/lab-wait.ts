import { BerthError } from "../core/errors.ts";
import type { Cluster } from "./orchestrator/cluster.ts";
import type { Events, LabEvent } from "./orchestrator/events.ts";

export interface Waiting {
  readonly cluster: Cluster;
  readonly events: Events;
  /** Fires when it has taken too long. */
  readonly patience: () => AbortSignal;
}

/** Waits until `isSo` holds. @throws BerthError `deadline-exceeded` with the complaint */
export async function untilSo(
  { cluster, patience }: Waiting,
  isSo: () => boolean,
  complaint: () => string,
): Promise<void> {
  const signal = patience();
  try {
    await cluster.until(isSo, signal);
  } catch (reason) {
    if (reason !== signal.reason || reason instanceof BerthError) throw reason;
    throw new BerthError("deadline-exceeded", complaint(), { cause: reason });
  }
}

/**
 * As `untilSo`; the complaint tells the object's last warning.
 * @param object as events name it: `Pod/default/web-1`
 */
export async function untilSoOf(
  waiting: Waiting,
  object: string,
  isSo: () => boolean,
  complaint: string,
): Promise<void> {
  await untilSo(waiting, isSo, () => {
    const last = waiting.events.of(object).findLast(({ type }) => type === "Warning");
    return `${complaint}: ${last?.message ?? "no event tells why"}`;
  });
}

/**
 * The first warning on an object whose message matches, waited for.
 * @param object as events name it: `Pod/default/web-1`
 * @throws BerthError `deadline-exceeded` with the warnings that there are
 */
export async function untilWarning(waiting: Waiting, object: string, message: RegExp): Promise<LabEvent> {
  const warnings = () => waiting.events.of(object).filter(({ type }) => type === "Warning");
  const found = () => warnings().find((event) => message.test(event.message));
  const complaint = () => {
    const said = warnings().map((event) => event.message);
    return `${object} has no warning ${message}; it has: ${said.join("; ") || "none"}`;
  };
  await untilSo(waiting, () => found() !== undefined, complaint);
  const event = found();
  if (event === undefined) throw new BerthError("not-found", complaint());
  return event;
}
