/**
 * What the lab knows of each kind of object. What it has no use for but has no effect on volumes either
 * (labels, images, resources) it knows too; anything else would be left out in silence, and is refused.
 */

import type { ObjectKind } from "../objects.ts";
import type { Keys } from "./manifest-document.ts";

const metadata: Keys = { name: "any", namespace: "any", labels: "any", annotations: "any" };
const object: Keys = { apiVersion: "any", kind: "any", metadata };

const volumeMount: Keys = { name: "any", mountPath: "any", subPath: "any", readOnly: "any" };
const user: Keys = { runAsUser: "any", runAsGroup: "any" };
const podSpec: Keys = {
  nodeName: "any",
  securityContext: user,
  containers: {
    ...{ name: "any", image: "any", imagePullPolicy: "any", command: "any", args: "any" },
    ...{ env: "any", ports: "any", resources: "any" },
    volumeMounts: volumeMount,
  },
  volumes: {
    name: "any",
    persistentVolumeClaim: { claimName: "any", readOnly: "any" },
    csi: { driver: "any", readOnly: "any", volumeAttributes: "any" },
  },
  restartPolicy: "any",
  terminationGracePeriodSeconds: "any",
};

export const manifestKeys: Readonly<Record<ObjectKind, Keys>> = {
  CSIDriver: {
    ...object,
    spec: { attachRequired: "any", fsGroupPolicy: "any", podInfoOnMount: "any", volumeLifecycleModes: "any" },
  },
  StorageClass: {
    ...object,
    ...{ provisioner: "any", parameters: "any", mountOptions: "any", reclaimPolicy: "any" },
    ...{ volumeBindingMode: "any", allowVolumeExpansion: "any" },
  },
  PersistentVolumeClaim: {
    ...object,
    spec: {
      ...{ storageClassName: "any", volumeName: "any", accessModes: "any", volumeMode: "any" },
      resources: { requests: { storage: "any" }, limits: { storage: "any" } },
    },
  },
  PersistentVolume: {
    ...object,
    spec: {
      capacity: { storage: "any" },
      ...{ accessModes: "any", mountOptions: "any", persistentVolumeReclaimPolicy: "any" },
      ...{ storageClassName: "any", volumeMode: "any" },
      csi: { driver: "any", volumeHandle: "any", readOnly: "any", volumeAttributes: "any" },
    },
  },
  Deployment: {
    ...object,
    spec: {
      ...{ replicas: "any", selector: "any", strategy: "any" },
      template: { metadata: { labels: "any", annotations: "any" }, spec: podSpec },
    },
  },
  Pod: { ...object, spec: podSpec },
};
