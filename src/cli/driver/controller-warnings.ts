import type { MountTable } from "../../node/mounts/mount-table.ts";
import type { DirectoryConfig } from "../config/config.ts";

/** File systems whose storage is elsewhere, as mountinfo names them. */
const remoteTypes = /^(nfs4?|cifs|smb3|ceph|9p|afs|lustre|beegfs|gpfs|fuse\..+)$/;

/**
 * What will hold up the controller, told at its start: directories are worked on by the process itself, and what a
 * dead server's mount holds the kernel lets go only when the server is back.
 */
export function controllerWarnings(directories: readonly DirectoryConfig[], table: MountTable): string[] {
  return directories.flatMap(({ name, path }) => {
    const { fsType, mountPoint } = table.holding(path);
    if (!remoteTypes.test(fsType)) return [];
    return [
      `the directory of share ${name} (${path}) lies on ${fsType}, mounted at ${mountPoint}: while its server does not ` +
        "answer the whole controller stands still; take a local disk, or name the server's export under exports",
    ];
  });
}
