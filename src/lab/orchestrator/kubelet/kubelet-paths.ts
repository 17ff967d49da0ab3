import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import type { PersistentVolume, Pod, PodVolume } from "../objects.ts";

/** Where a volume is mounted once for the whole node (pkg/volume/csi/csi_attacher.go, `makeDeviceMountPath`). */
export function stagingPath(root: string, volume: PersistentVolume): string {
  const hash = createHash("sha256").update(volume.handle).digest("hex");
  return join(root, "plugins/kubernetes.io/csi", volume.driver, hash, "globalmount");
}

/** Where a pod's share of it is mounted (pkg/volume/csi/csi_mounter.go, `GetPath`). */
export function targetPath(root: string, pod: Pod, { volume }: PodVolume): string {
  return join(root, "pods", pod.uid, "volumes/kubernetes.io~csi", volume.name, "mount");
}

/** What kubelet notes beside either of them, to find the volume again after a restart. */
export function volumeDataPath(mountPath: string): string {
  return join(dirname(mountPath), "vol_data.json");
}

/** The handle of an inline volume (pkg/volume/csi/csi_plugin.go, `makeVolumeHandle`). */
export function inlineHandle(podUid: string, volumeName: string): string {
  return `csi-${createHash("sha256").update(`${podUid}${volumeName}`).digest("hex")}`;
}
