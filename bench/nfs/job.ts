import type { ConnectOptions } from "../../src/nfs/index.ts";

/** What the measured process does, and with how much. */
export type Job =
  | { readonly kind: "getattr" | "mkdir"; readonly count: number; readonly depth: number }
  | { readonly kind: "walk" | "usage" | "remove"; readonly name: string; readonly times?: number }
  | { readonly kind: "copy"; readonly name: string; readonly copyName: string }
  | { readonly kind: "put" | "get"; readonly name: string; readonly localPath: string };

export interface JobOrder {
  readonly server: ConnectOptions;
  readonly job: Job;
}

/** What it took: time and CPU from before the connection until after the last answer, without the start of Node.js. */
export interface JobResult {
  readonly items: number;
  readonly ms: number;
  readonly cpuMs: number;
  /** The most that was ever resident in the process, in units of 10^6 bytes. */
  readonly residentMb: number;
}
