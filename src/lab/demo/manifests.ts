import { statSync } from "node:fs";
import { BerthError } from "../../core/errors.ts";
import { manifestFiles, readObjects } from "../orchestrator/manifests/manifests.ts";
import type { Claim, CsiDriver, Deployment, LabObject, StorageClass } from "../orchestrator/objects.ts";

/** What the experiment needs: one workload, and everything that its volume hangs on. */
export interface Experiment {
  readonly driver: CsiDriver;
  readonly storageClass: StorageClass;
  readonly claim: Claim;
  readonly deployment: Deployment;
}

/** Reads manifests from files, and from all YAML files of directories. @throws BerthError `invalid-argument` */
export function readExperiment(paths: readonly string[]): Experiment {
  const files = paths.flatMap((path) => (isDirectory(path) ? manifestFiles(path) : [path]));
  return linkObjects(paths.join(", "), readObjects(files));
}

/**
 * Finds the one Deployment and follows its names to claim, class and driver.
 * @param where names the manifests in messages
 * @throws BerthError `invalid-argument` that names what is missing and who asks for it
 */
export function linkObjects(where: string, objects: readonly LabObject[]): Experiment {
  const [deployment, second] = objects.filter((object) => object.kind === "Deployment");
  if (deployment === undefined) {
    throw missing(`${where}: no Deployment`, "the lab needs the one that mounts the claim");
  }
  if (second !== undefined) {
    const text = `${where}: Deployment/${second.name} stands beside Deployment/${deployment.name}`;
    throw missing(text, "the demo runs one workload; berth lab run takes any number");
  }
  const [claimName] = deployment.template.volumes.flatMap((source) =>
    source.kind === "claim" ? [source.claimName] : [],
  );
  if (claimName === undefined) {
    const text = `${where}: Deployment/${deployment.name} has no persistentVolumeClaim`;
    throw missing(text, "mount the claim whose life the lab shows");
  }
  if (!deployment.template.mounts.some(({ mountPath }) => mountPath === "/data")) {
    throw missing(`${where}: Deployment/${deployment.name} mounts nothing at /data`, "mount the claim there");
  }
  const find = <K extends LabObject["kind"]>(kind: K, name: string, wanted: string) => {
    const found = objects.find(
      (object): object is Extract<LabObject, { kind: K }> => object.kind === kind && object.name === name,
    );
    if (found === undefined) throw missing(`${where}: no ${kind} "${name}"`, wanted);
    return found;
  };
  const claim = find("PersistentVolumeClaim", claimName, `Deployment/${deployment.name} mounts it`);
  const storageClass = find(
    "StorageClass",
    claim.storageClassName,
    `PersistentVolumeClaim/${claim.name} asks for it`,
  );
  const driver = find(
    "CSIDriver",
    storageClass.provisioner,
    "without it Kubernetes waits for an attacher, and pods hang",
  );
  return { driver, storageClass, claim, deployment };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function missing(what: string, remedy: string): BerthError {
  return new BerthError("invalid-argument", `${what}: ${remedy}`);
}
