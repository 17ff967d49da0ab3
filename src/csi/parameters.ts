export type Parameters = Readonly<Record<string, string>>;

/** Keys under this prefix are Kubernetes' own: the provisioner adds some, and GetCapacity gets them unstripped. */
const kubernetesPrefix = "csi.storage.k8s.io/";

/** The StorageClass's own parameters, without those of Kubernetes. */
export function classParameters(parameters: Parameters): Parameters {
  return Object.fromEntries(Object.entries(parameters).filter(([key]) => !key.startsWith(kubernetesPrefix)));
}

/** The claim that a volume is for, where the provisioner tells it (`--extra-create-metadata`). */
export function claimOf(parameters: Parameters): { name: string; namespace: string } | undefined {
  const name = parameters[`${kubernetesPrefix}pvc/name`];
  const namespace = parameters[`${kubernetesPrefix}pvc/namespace`];
  return name === undefined || namespace === undefined ? undefined : { name, namespace };
}
