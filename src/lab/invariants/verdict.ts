import type { RecordedCall, Recording } from "./recording.ts";

export type Verdict =
  | { readonly status: "holds"; readonly detail: string }
  | { readonly status: "broken"; readonly why: string };

/** A rule that the experiment shows, and how a recording proves or breaks it. */
export interface Invariant {
  readonly number: number;
  readonly rule: string;
  check(recording: Recording): Verdict;
}

export function holds(detail: string): Verdict {
  return { status: "holds", detail };
}

export function broken(why: string): Verdict {
  return { status: "broken", why };
}

export function succeeded(recording: Recording, rpc: string): RecordedCall[] {
  return recording.calls.filter((call) => call.rpc === rpc && call.code === "OK");
}

/** `1 pod`, `2 pods`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}
