import { openSync, writeSync } from "node:fs";
import { BerthError } from "../core/errors.ts";
import type { RecordedCall } from "./invariants/recording.ts";

/** A line of a trace: one call, times in milliseconds since the lab began. */
export interface TraceLine {
  readonly ms: number;
  readonly component: string;
  readonly rpc: string;
  readonly volumeId: string;
  readonly path: string;
  readonly code: string;
  readonly durationMs: number;
}

/** Writes a trace, each line whole before the next call: what a killed lab leaves is still a trace. */
export class TraceFile {
  readonly #descriptor: number;

  /** @throws BerthError `invalid-argument` when the file cannot be made */
  constructor(path: string) {
    try {
      this.#descriptor = openSync(path, "w");
    } catch (reason) {
      const cause = reason instanceof Error ? reason.message : String(reason);
      throw new BerthError("invalid-argument", `cannot write the trace ${path}: ${cause}: name another file`);
    }
  }

  write(call: RecordedCall): void {
    writeSync(this.#descriptor, `${JSON.stringify(traceLine(call))}\n`);
  }
}

export function traceLine(call: RecordedCall): TraceLine {
  const { component, rpc, volumeId, path, code } = call;
  const durationMs = toMicroseconds(call.endMs - call.startMs);
  return { ms: toMicroseconds(call.startMs), component, rpc, volumeId, path, code, durationMs };
}

function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
