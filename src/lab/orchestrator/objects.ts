/** The parts of Kubernetes objects that the lab acts on. */

export const claimAccessModes = [
  "ReadWriteOnce",
  "ReadOnlyMany",
  "ReadWriteMany",
  "ReadWriteOncePod",
] as const;
export type ClaimAccessMode = (typeof claimAccessModes)[number];

export interface StorageClass {
  readonly name: string;
  /** The CSI driver's name. */
  readonly provisioner: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly mountOptions: readonly string[];
  readonly reclaimPolicy: "Delete" | "Retain";
}

export interface Claim {
  readonly namespace: string;
  readonly name: string;
  readonly storageClassName: string;
  readonly accessModes: readonly [ClaimAccessMode, ...ClaimAccessMode[]];
  readonly requestBytes: bigint;
  /** 0: no limit. */
  readonly limitBytes: bigint;
}

/** A Deployment whose pods mount one claim. */
export interface Deployment {
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  readonly claimName: string;
  readonly readOnly: boolean;
}

export interface CsiDriver {
  readonly name: string;
  readonly attachRequired: boolean;
  readonly fsGroupPolicy: "None" | "File" | "ReadWriteOnceWithFSType";
}

/** A PersistentVolume that the provisioner made. */
export interface PersistentVolume {
  readonly name: string;
  /** CSI's volume_id. */
  readonly handle: string;
  readonly driver: string;
  readonly capacityBytes: bigint;
  readonly accessModes: readonly [ClaimAccessMode, ...ClaimAccessMode[]];
  readonly mountOptions: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Pod {
  readonly uid: string;
  readonly name: string;
  readonly nodeName: string;
  readonly volume: PersistentVolume;
  readonly readOnly: boolean;
}
