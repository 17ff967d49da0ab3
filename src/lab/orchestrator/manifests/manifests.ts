import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BerthError } from "../../../core/errors.ts";
import {
  type AccessModes,
  type Claim,
  type CsiDriver,
  claimAccessModes,
  type Deployment,
  type LabObject,
  type ObjectKind,
  type PersistentVolume,
  type StorageClass,
} from "../objects.ts";
import { type ManifestDocument, parseManifest } from "./manifest-document.ts";
import { manifestKeys } from "./manifest-keys.ts";
import { readBarePod, readTemplate } from "./pod-manifest.ts";
import { parseQuantity } from "./quantity.ts";

const reclaimPolicies = ["Delete", "Retain"] as const;
const provisionedBy = "pv.kubernetes.io/provisioned-by";

/** The objects of some YAML. @param file names it in messages @throws BerthError `invalid-argument` with file, line, object and key */
export function parseObjects(file: string, source: string): LabObject[] {
  return parseManifest(file, source).map(readObject);
}

/** The objects of files. @throws BerthError `invalid-argument`, also for one that cannot be read */
export function readObjects(files: readonly string[]): LabObject[] {
  return files.flatMap((file) => parseObjects(file, readText(file)));
}

/** Every `*.yaml` and `*.yml` of a directory, in the order of their names. */
export function manifestFiles(directory: string): string[] {
  try {
    const names = readdirSync(directory).filter((name) => /\.ya?ml$/.test(name));
    return names.sort().map((name) => join(directory, name));
  } catch (reason) {
    const text = `cannot read the manifests in ${directory}: name a directory of YAML files`;
    throw new BerthError("invalid-argument", text, { cause: reason });
  }
}

export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (reason) {
    const cause = reason instanceof Error ? reason.message : String(reason);
    throw new BerthError("invalid-argument", `cannot read ${file}: ${cause}: name a file of YAML`);
  }
}

export function readObject(document: ManifestDocument): LabObject {
  const kind = kindOf(document);
  document.refuseUnknownKeys(manifestKeys[kind]);
  switch (kind) {
    case "CSIDriver":
      return readCsiDriver(document);
    case "StorageClass":
      return readStorageClass(document);
    case "PersistentVolumeClaim":
      return readClaim(document);
    case "PersistentVolume":
      return readVolume(document);
    case "Deployment":
      return readDeployment(document);
    case "Pod":
      return readBarePod(document);
  }
}

function kindOf(document: ManifestDocument): ObjectKind {
  const kinds = Object.keys(manifestKeys);
  if (isKind(document.kind)) return document.kind;
  throw document.error(["kind"], "is not known to the lab", `use ${kinds.join(", ")}`);
}

function isKind(kind: string): kind is ObjectKind {
  return Object.hasOwn(manifestKeys, kind);
}

function readCsiDriver(document: ManifestDocument): CsiDriver {
  const attachRequired = document.boolean(["spec", "attachRequired"], true);
  if (attachRequired) {
    const remedy = "set attachRequired: false; the lab plays no attacher";
    throw document.error(["spec", "attachRequired"], "is true", remedy);
  }
  const fsGroupPolicies = ["None", "File", "ReadWriteOnceWithFSType"] as const;
  const modes = ["spec", "volumeLifecycleModes"];
  const allModes = ["Persistent", "Ephemeral"] as const;
  const lifecycleModes = document
    .texts(modes)
    .map((_, index) => document.oneOf([...modes, index], allModes, "Persistent"));
  return {
    kind: "CSIDriver",
    name: document.name,
    attachRequired,
    fsGroupPolicy: document.oneOf(["spec", "fsGroupPolicy"], fsGroupPolicies, "ReadWriteOnceWithFSType"),
    podInfoOnMount: document.boolean(["spec", "podInfoOnMount"], false),
    lifecycleModes: lifecycleModes.length === 0 ? ["Persistent"] : lifecycleModes,
  };
}

function readStorageClass(document: ManifestDocument): StorageClass {
  document.oneOf(["volumeBindingMode"], ["Immediate"], "Immediate");
  return {
    kind: "StorageClass",
    name: document.name,
    provisioner: document.text(["provisioner"], "name the CSI driver"),
    parameters: document.map(["parameters"]),
    mountOptions: document.texts(["mountOptions"]),
    reclaimPolicy: document.oneOf(["reclaimPolicy"], reclaimPolicies, "Delete"),
    allowExpansion: document.boolean(["allowVolumeExpansion"], false),
  };
}

function readClaim(document: ManifestDocument): Claim {
  const resources = ["spec", "resources"];
  document.oneOf(["spec", "volumeMode"], ["Filesystem"], "Filesystem");
  document.text([...resources, "requests", "storage"], "say how much it needs, such as 1Gi");
  const classPath = ["spec", "storageClassName"];
  if (!document.has(classPath)) {
    const remedy = 'name a StorageClass, or "" for a volume made by hand';
    throw document.error(classPath, "is missing", remedy);
  }
  return {
    kind: "PersistentVolumeClaim",
    namespace: document.namespace,
    name: document.name,
    storageClassName: document.optionalText(classPath) ?? "",
    volumeName: document.optionalText(["spec", "volumeName"]) ?? "",
    accessModes: readAccessModes(document),
    requestBytes: readSize(document, [...resources, "requests", "storage"]),
    limitBytes: readSize(document, [...resources, "limits", "storage"]),
  };
}

function readVolume(document: ManifestDocument): PersistentVolume {
  const csi = ["spec", "csi"];
  document.oneOf(["spec", "volumeMode"], ["Filesystem"], "Filesystem");
  document.text(["spec", "capacity", "storage"], "say how large it is, such as 1Gi");
  return {
    kind: "PersistentVolume",
    name: document.name,
    handle: document.text([...csi, "volumeHandle"], "give it a handle that no other volume has"),
    driver: document.text([...csi, "driver"], "name the CSI driver"),
    capacityBytes: readSize(document, ["spec", "capacity", "storage"]),
    accessModes: readAccessModes(document),
    mountOptions: document.texts(["spec", "mountOptions"]),
    attributes: document.map([...csi, "volumeAttributes"]),
    reclaimPolicy: document.oneOf(["spec", "persistentVolumeReclaimPolicy"], reclaimPolicies, "Retain"),
    storageClassName: document.optionalText(["spec", "storageClassName"]) ?? "",
    readOnly: document.boolean([...csi, "readOnly"], false),
    provisionedBy: document.optionalText(["metadata", "annotations", provisionedBy]) ?? "",
  };
}

function readAccessModes(document: ManifestDocument): AccessModes {
  const path = ["spec", "accessModes"];
  const modes = document.texts(path);
  const [first, ...more] = modes.map((_, index) =>
    document.oneOf([...path, index], claimAccessModes, "ReadWriteOnce"),
  );
  if (first === undefined) {
    throw document.error(path, "is missing", `give at least one of ${claimAccessModes.join(", ")}`);
  }
  return [first, ...more];
}

function readSize(document: ManifestDocument, path: readonly string[]): bigint {
  const text = document.optionalText(path) ?? "0";
  const bytes = parseQuantity(text);
  if (bytes === undefined)
    throw document.error(path, `is ${JSON.stringify(text)}`, "write a size such as 500Mi or 1Gi");
  return bytes;
}

function readDeployment(document: ManifestDocument): Deployment {
  return {
    kind: "Deployment",
    namespace: document.namespace,
    name: document.name,
    replicas: document.count(["spec", "replicas"], 1),
    template: readTemplate(document, ["spec", "template", "spec"]),
  };
}
