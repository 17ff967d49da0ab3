import type { Call } from "../calls.ts";
import type { Code } from "../csi-client.ts";
import type { Mount } from "../machine/mount-table.ts";

/** All times of a recording are milliseconds since it began. */
export interface RecordedCall extends Call {
  readonly startMs: number;
  readonly endMs: number;
  readonly code: Code;
  /** Of the status; `""` for OK. */
  readonly message: string;
}

/** What one node had mounted at one moment between two: reading a guest's table takes a while. */
export interface RecordedTable {
  readonly ms: number;
  readonly untilMs: number;
  readonly node: string;
  readonly mounts: readonly Mount[];
}

export interface RecordedPod {
  readonly name: string;
  readonly node: string;
  readonly volumeId: string;
  /** The target path of its volume. */
  readonly path: string;
  readonly startMs: number;
  /** When its processes had ended; absent while it runs. */
  readonly endMs?: number;
  /** Its own /data, as its own mount table has it. */
  readonly data: Mount | undefined;
}

/** A line that a pod wrote to, or the lines that it read from, its /data. */
export interface RecordedFile {
  readonly ms: number;
  readonly pod: string;
  readonly node: string;
  readonly lines: readonly string[];
}

/** Everything that the invariants are checked on. Lists are in the order of time (calls: of their ends). */
export interface Recording {
  readonly nodes: readonly { readonly name: string; readonly kubeletDirectory: string }[];
  readonly calls: readonly RecordedCall[];
  readonly tables: readonly RecordedTable[];
  readonly pods: readonly RecordedPod[];
  readonly writes: readonly RecordedFile[];
  readonly reads: readonly RecordedFile[];
  /** The names at the share's root. */
  readonly shares: readonly { readonly ms: number; readonly names: readonly string[] }[];
}
