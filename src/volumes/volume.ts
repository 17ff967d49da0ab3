import type { VolumeId } from "../core/volume-id.ts";
import type { Attributes } from "../share/share.ts";
import type { SharePath } from "../share/share-path.ts";

/** Sizes that the caller accepts: at least `requiredBytes` (0: any), at most `limitBytes` (0: no limit). */
export interface CapacityRange {
  readonly requiredBytes: bigint;
  readonly limitBytes: bigint;
}

/** How a volume may be used, as its record keeps it. */
export type AccessMode =
  | "SINGLE_NODE_WRITER"
  | "SINGLE_NODE_READER_ONLY"
  | "MULTI_NODE_READER_ONLY"
  | "MULTI_NODE_SINGLE_WRITER"
  | "MULTI_NODE_MULTI_WRITER"
  | "SINGLE_NODE_SINGLE_WRITER"
  | "SINGLE_NODE_MULTI_WRITER";

/**
 * What becomes of a volume's directory when the volume is deleted: it goes to the trash, it stays where it
 * is, or it is renamed to `archived-…` beside.
 */
export const onDeleteChoices = ["delete", "retain", "archive"] as const;
export type OnDelete = (typeof onDeleteChoices)[number];

/** What creates a volume, checked: nothing in it can fail for its form. */
export interface VolumeRequest {
  readonly id: VolumeId;
  /** The CO's own name for it (`CreateVolumeRequest.name`), which `id.name` may stand for as a digest. */
  readonly requestedName: string;
  readonly capacity: CapacityRange;
  readonly accessModes: readonly AccessMode[];
  readonly mountFlags: readonly string[];
  /** The class's parameters, without those of Kubernetes' own. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly directory: DirectoryAttributes;
  /** Where its directory goes, relative to the share's root; default: its name. */
  readonly path?: SharePath;
  /** Default: delete. */
  readonly onDelete?: OnDelete;
  /** A directory that is there already is taken over, and gets these attributes. */
  readonly adopt?: Attributes;
  /** How long its tree stays in the trash after deletion. */
  readonly trashRetentionMs: number;
  /** Where the provisioner names it (`--extra-create-metadata`). */
  readonly claim?: Claim;
}

/** What Kubernetes calls a PersistentVolumeClaim. */
export interface Claim {
  readonly name: string;
  readonly namespace: string;
}

export interface DirectoryAttributes {
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A volume as its record on the share tells it. */
export interface Volume {
  readonly id: VolumeId;
  readonly requestedName: string;
  /** `lost`: it has been ready, and its directory is not in its place any more; only lists look for that. */
  readonly state: "creating" | "ready" | "lost" | "deleting";
  readonly sizeBytes: bigint;
  /** Relative to the share's root. */
  readonly directory: string;
  readonly accessModes: readonly AccessMode[];
  readonly parameters: Readonly<Record<string, string>>;
  readonly createdMs: number;
  /** Whose it is or was, as far as it was told at creation. */
  readonly claim?: Claim;
}

/** A page of volumes in the order of their names. */
export interface VolumePage {
  readonly volumes: readonly Volume[];
  /** The name to go on after; absent on the last page. */
  readonly nextAfter?: string;
}
