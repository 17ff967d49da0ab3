import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BerthError } from "../../core/errors.ts";
import { type ManifestDocument, parseManifest } from "./manifest-document.ts";
import {
  type Claim,
  type CsiDriver,
  claimAccessModes,
  type Deployment,
  type StorageClass,
} from "./objects.ts";
import { parseQuantity } from "./quantity.ts";

/** What the experiment needs: one workload, and everything that its volume hangs on. */
export interface Manifests {
  readonly driver: CsiDriver;
  readonly storageClass: StorageClass;
  readonly claim: Claim;
  readonly deployment: Deployment;
}

/** Reads every `*.yaml` and `*.yml` of a directory. @throws BerthError `invalid-argument`, see `linkManifests` */
export function readManifests(directory: string): Manifests {
  const documents = manifestFiles(directory).flatMap((file) =>
    parseManifest(file, readFileSync(file, "utf8")),
  );
  return linkManifests(directory, documents);
}

/**
 * Finds the one Deployment and follows its names to claim, class and driver. Objects of other kinds
 * and those that nothing refers to are left alone.
 * @param where names the manifests in messages
 * @throws BerthError `invalid-argument` that names file, line, kind/name, or what is missing
 */
export function linkManifests(where: string, documents: readonly ManifestDocument[]): Manifests {
  const find = (kind: string, name: string, wanted: string): ManifestDocument => {
    const found = documents.find((each) => each.kind === kind && each.name === name);
    return found ?? missing(`${where}: no ${kind} "${name}"`, wanted);
  };
  const deployments = documents.filter((each) => each.kind === "Deployment");
  const [first, second] = deployments;
  if (first === undefined) missing(`${where}: no Deployment`, "the lab needs the one that mounts the claim");
  if (second !== undefined)
    throw second.error([], `stands beside Deployment/${first.name}`, "the lab runs one workload");

  const deployment = readDeployment(first);
  const claim = readClaim(
    find("PersistentVolumeClaim", deployment.claimName, `Deployment/${deployment.name} mounts it`),
  );
  const storageClass = readStorageClass(
    find("StorageClass", claim.storageClassName, `PersistentVolumeClaim/${claim.name} asks for it`),
  );
  const driver = readCsiDriver(
    find("CSIDriver", storageClass.provisioner, "without it Kubernetes waits for an attacher, and pods hang"),
  );
  return { driver, storageClass, claim, deployment };
}

function manifestFiles(directory: string): string[] {
  try {
    const names = readdirSync(directory).filter((name) => /\.ya?ml$/.test(name));
    return names.sort().map((name) => join(directory, name));
  } catch (reason) {
    throw new BerthError(
      "invalid-argument",
      `cannot read the manifests in ${directory}: name a directory of YAML files`,
      {
        cause: reason,
      },
    );
  }
}

function readCsiDriver(document: ManifestDocument): CsiDriver {
  const attachRequired = document.boolean(["spec", "attachRequired"], true);
  if (attachRequired) {
    const remedy = "set attachRequired: false; the lab plays no attacher";
    throw document.error(["spec", "attachRequired"], "is true", remedy);
  }
  const fsGroupPolicies = ["None", "File", "ReadWriteOnceWithFSType"] as const;
  const fsGroupPolicy = document.oneOf(["spec", "fsGroupPolicy"], fsGroupPolicies, "ReadWriteOnceWithFSType");
  return { name: document.name, attachRequired, fsGroupPolicy };
}

function readStorageClass(document: ManifestDocument): StorageClass {
  return {
    name: document.name,
    provisioner: document.text(["provisioner"], "name the CSI driver"),
    parameters: document.map(["parameters"]),
    mountOptions: document.texts(["mountOptions"]),
    reclaimPolicy: document.oneOf(["reclaimPolicy"], ["Delete", "Retain"], "Delete"),
  };
}

function readClaim(document: ManifestDocument): Claim {
  const modes = document.texts(["spec", "accessModes"]);
  const [first, ...more] = modes.map((_, index) =>
    document.oneOf(["spec", "accessModes", index], claimAccessModes, "ReadWriteOnce"),
  );
  if (first === undefined) {
    throw document.error(
      ["spec", "accessModes"],
      "is missing",
      `give at least one of ${claimAccessModes.join(", ")}`,
    );
  }
  const resources = ["spec", "resources"];
  document.text([...resources, "requests", "storage"], "say how much it needs, such as 1Gi");
  return {
    namespace: namespaceOf(document),
    name: document.name,
    storageClassName: document.text(["spec", "storageClassName"], "name a StorageClass"),
    accessModes: [first, ...more],
    requestBytes: readSize(document, [...resources, "requests", "storage"]),
    limitBytes: readSize(document, [...resources, "limits", "storage"]),
  };
}

function readSize(document: ManifestDocument, path: readonly string[]): bigint {
  const text = document.optionalText(path) ?? "0";
  const bytes = parseQuantity(text);
  if (bytes === undefined)
    throw document.error(path, `is ${JSON.stringify(text)}`, "write a size such as 500Mi or 1Gi");
  return bytes;
}

function readDeployment(document: ManifestDocument): Deployment {
  const volumes = ["spec", "template", "spec", "volumes"];
  const claims = Array.from({ length: document.length(volumes) }, (_, index) => ({
    claimName: document.optionalText([...volumes, index, "persistentVolumeClaim", "claimName"]),
    readOnly: document.boolean([...volumes, index, "persistentVolumeClaim", "readOnly"], false),
  }));
  const claim = claims.find(({ claimName }) => claimName !== undefined);
  if (claim?.claimName === undefined) {
    throw document.error(volumes, "has no persistentVolumeClaim", "mount the claim whose life the lab shows");
  }
  return {
    namespace: namespaceOf(document),
    name: document.name,
    replicas: document.count(["spec", "replicas"], 1),
    claimName: claim.claimName,
    readOnly: claim.readOnly,
  };
}

function namespaceOf(document: ManifestDocument): string {
  return document.optionalText(["metadata", "namespace"]) ?? "default";
}

function missing(what: string, remedy: string): never {
  throw new BerthError("invalid-argument", `${what}: ${remedy}`);
}
