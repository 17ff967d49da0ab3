/** What the tests of whole volumes share: a lab on guests, and manifests in few words. */
import assert from "node:assert/strict";
import { Lab, type LabOptions } from "../../src/lab/lab.ts";
import type { LabPod } from "../../src/lab/lab-pod.ts";
import type { Site } from "../../src/lab/site/site.ts";
import { bundledProgram } from "../support/bundled.ts";

/** Two nodes and a server of XFS at `/srv/xfs`, which the driver knows as `nas`: real kernels, the program as it ships. */
export async function openLab(options: Partial<LabOptions> = {}): Promise<Lab> {
  const lab = await Lab.open({
    tier: "guests",
    nodes: 2,
    program: await bundledProgram(),
    driverConfig: { ephemeral: { exports: ["nas"] } },
    ...options,
  });
  lab.apply(csiDriver);
  return lab;
}

/** The driver's configuration with more exports of the storage guest than `nas`. */
export function withExports(
  ...more: readonly { readonly name: string; readonly share: string; readonly [key: string]: unknown }[]
): (site: Site) => Readonly<Record<string, unknown>> {
  return ({ share, storage }) => {
    const nas = share.config["exports"];
    assert.ok(Array.isArray(nas) && storage !== undefined, "the lab has a storage guest");
    const server = storage.address;
    return { exports: [...nas, ...more.map((each) => ({ server, ...each }))] };
  };
}

/** `${key}`, as a class has it. */
export function template(key: string): string {
  return `$\{${key}}`;
}

/** Lets all pods go, without waiting. */
export function deletePods(lab: Lab): void {
  for (const { name, phase } of lab.pods) {
    if (phase !== "Terminating") lab.delete("Pod", name);
  }
}

/** A pod that has been applied, once it runs. */
export async function startedPod(lab: Lab, name: string): Promise<LabPod> {
  const found = await lab.pod(name);
  await found.running();
  return found;
}

/** Where the volume of a claim on `nas` lies on the server. */
export async function volumeDirectory(lab: Lab, claimName: string): Promise<string> {
  const { attributes } = await lab.claim(claimName).bound();
  return `/srv/xfs/${attributes["subDir"]}`;
}

const csiDriver = `
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: { name: csi.berth.dev }
spec: { attachRequired: false, podInfoOnMount: true, volumeLifecycleModes: [Persistent, Ephemeral] }
`;

export interface ClassFields {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly mountOptions?: readonly string[];
  readonly reclaimPolicy?: "Delete" | "Retain";
}

/** A StorageClass of the export `nas`, unless its parameters name a server. */
export function storageClass(name: string, fields: ClassFields = {}): string {
  const { parameters = {} } = fields;
  const where = parameters["server"] === undefined ? { export: "nas" } : {};
  return manifest({
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name },
    provisioner: "csi.berth.dev",
    parameters: { type: "export", ...where, ...parameters },
    mountOptions: fields.mountOptions ?? [],
    reclaimPolicy: fields.reclaimPolicy ?? "Delete",
    allowVolumeExpansion: true,
  });
}

export interface ClaimFields {
  readonly storage?: string;
  readonly volumeName?: string;
  readonly accessMode?: string;
}

export function claim(name: string, className: string, fields: ClaimFields = {}): string {
  return manifest({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name },
    spec: {
      storageClassName: className,
      ...(fields.volumeName === undefined ? {} : { volumeName: fields.volumeName }),
      accessModes: [fields.accessMode ?? "ReadWriteMany"],
      resources: { requests: { storage: fields.storage ?? "10Mi" } },
    },
  });
}

/** Where a pod has a volume: at `/data` unless said. */
export interface PodVolumeFields {
  readonly claim?: string;
  readonly inline?: Readonly<Record<string, string>>;
  readonly at?: string;
  readonly subPath?: string;
  readonly readOnly?: boolean;
}

export interface PodFields {
  readonly node?: string;
  readonly uid?: number;
}

export function pod(name: string, volumes: readonly PodVolumeFields[], fields: PodFields = {}): string {
  return manifest({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      ...(fields.node === undefined ? {} : { nodeName: fields.node }),
      ...(fields.uid === undefined
        ? {}
        : { securityContext: { runAsUser: fields.uid, runAsGroup: fields.uid } }),
      containers: [
        {
          name: "main",
          image: "busybox",
          volumeMounts: volumes.map(({ at = "/data", subPath, readOnly }, index) => ({
            name: `v${index}`,
            mountPath: at,
            ...(subPath === undefined ? {} : { subPath }),
            ...(readOnly === undefined ? {} : { readOnly }),
          })),
        },
      ],
      volumes: volumes.map((volume, index) => ({ name: `v${index}`, ...sourceOf(volume) })),
    },
  });
}

function sourceOf({ claim: claimName, inline, readOnly = false }: PodVolumeFields): object {
  if (claimName !== undefined) return { persistentVolumeClaim: { claimName, readOnly } };
  return { csi: { driver: "csi.berth.dev", readOnly, volumeAttributes: inline ?? {} } };
}

export interface VolumeFields {
  readonly handle: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly mountOptions?: readonly string[];
}

/** A PersistentVolume written by hand. */
export function persistentVolume(
  name: string,
  { handle, attributes, mountOptions = [] }: VolumeFields,
): string {
  return manifest({
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: {
      capacity: { storage: "10Mi" },
      accessModes: ["ReadWriteMany"],
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: "",
      mountOptions,
      csi: { driver: "csi.berth.dev", volumeHandle: handle, volumeAttributes: attributes },
    },
  });
}

/** JSON is YAML. */
function manifest(object: object): string {
  return `---\n${JSON.stringify(object)}\n`;
}
