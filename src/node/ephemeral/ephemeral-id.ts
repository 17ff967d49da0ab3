/** The handle that kubelet makes for an inline volume (pkg/volume/csi/csi_util.go, `makeVolumeHandle`). */
export function isEphemeralId(volumeId: string): boolean {
  return /^csi-[0-9a-f]{64}$/.test(volumeId);
}
