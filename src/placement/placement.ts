import type { VolumeId, VolumeType } from "../core/volume-id.ts";
import type { Attributes } from "../share/share.ts";
import type { SharePath } from "../share/share-path.ts";
import type { ShareVolumes } from "../volumes/share-volumes.ts";
import type { Claim, DirectoryAttributes, OnDelete, Volume } from "../volumes/volume.ts";

/** What the parameters of a StorageClass decide about one new volume. */
export interface Placed {
  readonly volumes: ShareVolumes;
  readonly id: VolumeId;
  readonly directory: DirectoryAttributes;
  /** Where its directory goes on the share; default: its name. */
  readonly path?: SharePath;
  readonly onDelete: OnDelete;
  /** A directory that is there already is taken over, and gets these attributes. */
  readonly adopt?: Attributes;
  readonly trashRetentionMs: number;
  /** What the class's author may not have meant: for the log. */
  readonly warning?: string;
}

/** Answers the first question of every volume: which share does it live on? One for each volume type. */
export interface Placement {
  readonly type: VolumeType;

  /**
   * Where a new volume goes; touches no storage.
   * @param parameters of the class, without those under `csi.storage.k8s.io/`
   * @param claim that the volume is for, where csi-provisioner names it
   * @throws BerthError `invalid-argument` for a parameter that is unknown, missing or malformed, by name
   */
  place(parameters: Readonly<Record<string, string>>, requestedName: string, claim?: Claim): Placed;

  /**
   * Where an existing volume lives.
   * @throws BerthError `failed-precondition` when its share is not in the configuration
   */
  find(id: VolumeId): ShareVolumes;

  /**
   * What a node needs to mount a volume, besides its id (CSI `volume_context`): the same for as long as the
   * volume lives, and no secret.
   */
  contextOf(volume: Volume): Readonly<Record<string, string>>;

  /**
   * Why no node would mount a volume so, with the remedy; undefined where one would.
   * @param mountFlags of a capability
   * @param context as `contextOf` gives it, or as somebody has changed it
   */
  mountProblem(mountFlags: readonly string[], context: Readonly<Record<string, string>>): string | undefined;

  /** The shares of the configuration, in its order: what is listed, measured and reaped. */
  readonly all: readonly ShareVolumes[];
}
