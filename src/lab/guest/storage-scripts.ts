/** What a storage guest's administrator types, as functions from the options to shell scripts. */
import type { Room } from "./room.ts";

export interface FileSystem {
  /** Mounted at `/srv/<name>`. */
  readonly name: string;
  readonly type: "xfs" | "ext4" | "btrfs";
  /** 1 GiB unless given; XFS takes no less than 300 MiB. Only what is written takes memory of this machine. */
  readonly sizeBytes?: number;
}

export interface KernelExport {
  readonly path: string;
  /** As in exports(5), after `rw,no_root_squash,insecure,sync,no_subtree_check`: a later one wins. */
  readonly options?: readonly string[];
  /** An address, a network or `*`, which is meant unless given. */
  readonly clients?: string;
}

/** Names of clients and exports survive a crash of the server on a disk of their own. */
const stateDisk: FileSystem = { name: "state", type: "ext4", sizeBytes: 8 * 2 ** 20 };

const makeCommand = {
  xfs: ["mkfs.xfs", "-q", "-K", "-m", "reflink=1"],
  ext4: ["mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=prjquota,nodiscard,lazy_itable_init=0"],
  btrfs: ["mkfs.btrfs", "-q", "--nodiscard"],
} as const;

const mountOptions = { xfs: "prjquota", ext4: "prjquota", btrfs: "rw" } as const;

/** Makes the state's disk and one for each file system. @returns their files in the room, in this order */
export async function makeDisks(
  room: Room,
  directory: string,
  fileSystems: readonly FileSystem[],
): Promise<string[]> {
  await room.check(["mkdir", "-p", directory]);
  return await Promise.all(
    [stateDisk, ...fileSystems].map(async ({ name, type, sizeBytes }) => {
      const disk = `${directory}/${name}.disk`;
      await room.check(["truncate", `--size=${sizeBytes ?? 2 ** 30}`, disk]);
      await room.check([...makeCommand[type], disk]);
      return disk;
    }),
  );
}

export function mountScript(fileSystems: readonly FileSystem[]): string {
  const mounts = fileSystems.map(({ name, type }, index) => {
    const device = `/dev/ubd${String.fromCharCode("b".charCodeAt(0) + index)}`;
    return `mount -t ${type} -o ${mountOptions[type]} ${device} /srv/${name}`;
  });
  const points = fileSystems.map(({ name }) => `/srv/${name}`).join(" ");
  return [
    "mount -t ext4 /dev/ubda /var/lib/nfs",
    "mount -t tmpfs tmpfs /srv",
    `mkdir ${points}`,
    ...mounts,
  ].join("\n");
}

export function setExportsScript(exports: readonly KernelExport[]): string {
  const lines = exports.map(({ path, options, clients }) => {
    const all = ["rw", "no_root_squash", "insecure", "sync", "no_subtree_check", ...(options ?? [])];
    return `${path} ${clients ?? "*"}(${all.join(",")})`;
  });
  return `cat > /etc/exports <<'END'\n${lines.join("\n")}\nEND\nexportfs -ra`;
}

/**
 * The daemons of the server. Debian's `manage-gids` is off: the groups of AUTH_SYS count, as on most
 * servers. Names are never looked up: there is nobody to answer. NFS 4 exports the way to an export too,
 * and the guest's root, an overlay, cannot be exported: so the way begins elsewhere.
 */
export function serveScript(leaseSeconds: number, exports: readonly KernelExport[]): string {
  return `
mkdir /mnt/exported
mount -t tmpfs tmpfs /mnt/exported
mkdir /mnt/exported/srv
mount --rbind /srv /mnt/exported/srv
: > /etc/resolv.conf
cat > /etc/nfs.conf <<'END'
[exports]
rootdir=/mnt/exported
[mountd]
port=20048
manage-gids=n
END
cd /var/lib/nfs
mkdir -p sm sm.bak rpc_pipefs v4recovery nfsdcltrack
touch etab rmtab
modprobe nfsd
mount -t nfsd nfsd /proc/fs/nfsd
rpcbind -w
rpc.mountd >/dev/null 2>&1
${setExportsScript(exports)}
${startServerScript(leaseSeconds)}`;
}

/** With the block size of a large server: the kernel would choose a smaller one for a guest's memory. */
export function startServerScript(leaseSeconds: number): string {
  return `echo 1048576 > /proc/fs/nfsd/max_block_size
rpc.nfsd --grace-time ${leaseSeconds} --lease-time ${leaseSeconds} 4`;
}

export function limitScript(
  fileSystem: FileSystem,
  name: string,
  project: number,
  limitBytes: number,
): string {
  const mount = `/srv/${fileSystem.name}`;
  const path = `${mount}/${name}`;
  switch (fileSystem.type) {
    case "xfs":
      return `mkdir ${path}
xfs_quota -x -c 'project -s -p ${path} ${project}' -c 'limit -p bhard=${limitBytes} ${project}' ${mount}`;
    case "ext4":
      return `mkdir ${path}
chattr -p ${project} +P ${path}
setquota -P ${project} 0 ${Math.floor(limitBytes / 1024)} 0 0 ${mount}`;
    case "btrfs":
      return `btrfs quota enable ${mount}
btrfs subvolume create ${path}
btrfs qgroup limit ${limitBytes} ${path}`;
  }
}
