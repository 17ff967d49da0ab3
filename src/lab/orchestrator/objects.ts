/** The parts of Kubernetes objects that the lab acts on. */

export const claimAccessModes = [
  "ReadWriteOnce",
  "ReadOnlyMany",
  "ReadWriteMany",
  "ReadWriteOncePod",
] as const;
export type ClaimAccessMode = (typeof claimAccessModes)[number];
export type AccessModes = readonly [ClaimAccessMode, ...ClaimAccessMode[]];
export type ReclaimPolicy = "Delete" | "Retain";

export interface CsiDriver {
  readonly kind: "CSIDriver";
  readonly name: string;
  readonly attachRequired: boolean;
  readonly fsGroupPolicy: "None" | "File" | "ReadWriteOnceWithFSType";
  /** Whether it is told of the pod with each publish. */
  readonly podInfoOnMount: boolean;
  readonly lifecycleModes: readonly ("Persistent" | "Ephemeral")[];
}

export interface StorageClass {
  readonly kind: "StorageClass";
  readonly name: string;
  /** The CSI driver's name. */
  readonly provisioner: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly mountOptions: readonly string[];
  readonly reclaimPolicy: ReclaimPolicy;
  readonly allowExpansion: boolean;
}

export interface Claim {
  readonly kind: "PersistentVolumeClaim";
  readonly namespace: string;
  readonly name: string;
  /** `""` asks for a volume that somebody has made by hand. */
  readonly storageClassName: string;
  /** The one volume that it wants; `""` for any. */
  readonly volumeName: string;
  readonly accessModes: AccessModes;
  readonly requestBytes: bigint;
  /** 0: no limit. */
  readonly limitBytes: bigint;
}

/** A volume as it is known to Kubernetes, made by the provisioner or written by hand. */
export interface PersistentVolume {
  readonly kind: "PersistentVolume";
  readonly name: string;
  /** CSI's volume_id. */
  readonly handle: string;
  readonly driver: string;
  readonly capacityBytes: bigint;
  readonly accessModes: AccessModes;
  readonly mountOptions: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
  readonly reclaimPolicy: ReclaimPolicy;
  /** Of the class, which a claim has to name too; `""` for none. */
  readonly storageClassName: string;
  readonly readOnly: boolean;
  /** Who made it, and may therefore delete it; `""` when it was made by hand. */
  readonly provisionedBy: string;
}

/** What a pod calls one of its volumes, and where it comes from. */
export type VolumeSource =
  | {
      readonly kind: "claim";
      readonly name: string;
      readonly claimName: string;
      readonly readOnly: boolean;
    }
  | {
      readonly kind: "inline";
      readonly name: string;
      readonly driver: string;
      readonly attributes: Readonly<Record<string, string>>;
      readonly readOnly: boolean;
    };

/** Where a pod wants a volume, or a directory of it. */
export interface VolumeMount {
  /** The volume's name in the pod. */
  readonly name: string;
  readonly mountPath: string;
  /** `""` for the whole volume. */
  readonly subPath: string;
  readonly readOnly: boolean;
}

/** What all pods of a workload are like. */
export interface PodTemplate {
  readonly volumes: readonly VolumeSource[];
  readonly mounts: readonly VolumeMount[];
  /** Whom its commands run as. */
  readonly uid: number;
  readonly gid: number;
}

export interface Deployment {
  readonly kind: "Deployment";
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  readonly template: PodTemplate;
}

/** A pod that belongs to no workload. */
export interface BarePod {
  readonly kind: "Pod";
  readonly namespace: string;
  readonly name: string;
  /** The node that it must run on; `""` for any. */
  readonly nodeName: string;
  readonly template: PodTemplate;
}

export type LabObject = CsiDriver | StorageClass | Claim | PersistentVolume | Deployment | BarePod;
export type ObjectKind = LabObject["kind"];

/** A volume that a pod gets, when its claim has become one. */
export interface PodVolume {
  /** What the pod calls it. */
  readonly name: string;
  readonly volume: PersistentVolume;
  readonly readOnly: boolean;
  /** Ephemeral: it lives and dies with the pod, is not staged and has no claim. */
  readonly lifecycle: "Persistent" | "Ephemeral";
}

/** A pod on its node. */
export interface Pod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** `namespace/name` of its Deployment; `""` for a pod of its own. */
  readonly owner: string;
  readonly nodeName: string;
  readonly volumes: readonly PodVolume[];
  readonly mounts: readonly VolumeMount[];
  readonly uidNumber: number;
  readonly gidNumber: number;
}
