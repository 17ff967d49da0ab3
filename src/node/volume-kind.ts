import type { Call } from "../core/call.ts";
import type { MountFlags, MountWish } from "./mounts/mount-flags.ts";
import type { Mount } from "./mounts/mount-table.ts";
import type { View } from "./mounts/survey.ts";

/** What differs between volumes by how their share is reached. */
export interface VolumeKind {
  /** What its steps may have to wait for (`storageOf`). */
  readonly storage: string;
  /** Mounts the volume's directory at the staging path; repairs a mount that has gone stale. */
  stage(wish: MountWish, path: string, call: Call): Promise<void>;
  /**
   * @returns undefined when the volume is not mounted at the view's staging path
   * @throws BerthError `already-exists` when that has another volume's directory
   */
  staged(view: View, wish: MountWish, stagingPath: string): Promise<StagedVolume | undefined>;
}

/** A staged volume, to be bound to targets. */
export interface StagedVolume {
  readonly mount: Mount;
  /** Of a mount for a target. */
  readonly flags: MountFlags;
  /** What a mount found at a target is: of this staging, of the volume but of an earlier staging, or neither. */
  readonly at: (mount: Mount) => "current" | "outdated" | "foreign";
  /** The volume's other mounts. */
  readonly targets: readonly Mount[];
  /** Whether it makes sense to hand it to a pod. @throws BerthError why not */
  readonly check: (signal: AbortSignal) => Promise<void>;
}
