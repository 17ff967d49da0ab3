import type { NfsSource } from "../../src/node/mounts/mount-source.ts";
import { parseSharePath } from "../../src/share/share-path.ts";

/** The directory `pvc-1` of a configured export, of which all else is left open. */
export const nfsSource: NfsSource = {
  kind: "nfs",
  shareName: "nas",
  location: { server: "nas", share: "/k8s" },
  directory: parseSharePath("pvc-1"),
  record: undefined,
  access: { uid: 0, gid: 0, tls: false },
  configured: true,
  exportOptions: "",
  mountOptions: "",
};
