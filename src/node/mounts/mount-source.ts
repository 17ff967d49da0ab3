import { createHash } from "node:crypto";
import { type VolumeName, volumeNameOf } from "../../core/volume-id.ts";
import { type ExportLocation, parseLocation, printLocation } from "../../share/export-location.ts";
import type { SharePath } from "../../share/share-path.ts";
import { isEphemeralId } from "../ephemeral/ephemeral-id.ts";
import { isWithin, type Location, type Mount, type MountTable } from "./mount-table.ts";
import { childOf, nameOf } from "./node-path.ts";

/** What is mounted for a volume; each way to reach a share has its kind. */
export type MountSource = BindSource | NfsSource;

/** The directory `<sharePath>/<name>` of a share that is a local directory. */
export interface BindSource {
  readonly kind: "bind";
  /** How messages name the share. */
  readonly shareName: string;
  readonly sharePath: string;
  readonly name: VolumeName;
}

/** A directory of an NFS export, mounted by the kernel. */
export interface NfsSource {
  readonly kind: "nfs";
  /** How messages name the export. */
  readonly shareName: string;
  readonly location: ExportLocation;
  /** The volume's directory on the share; `""` is the share itself. */
  readonly directory: SharePath;
  /** The volume's record, without which there is no such volume; undefined for a volume that Berth did not make. */
  readonly record: SharePath | undefined;
  readonly access: NfsAccess;
  /** That the configuration says where the export is: it may have moved since a volume was mounted. */
  readonly configured: boolean;
  /** Of the export in the configuration, as mount(8) takes them: they are for new mounts, and no request's. */
  readonly exportOptions: string;
  /** Of the class. */
  readonly mountOptions: string;
}

/** How an export is spoken to; what is left out is found out. */
export interface NfsAccess {
  readonly nfsVersion?: "3" | "4.1" | "4.2";
  readonly port?: number;
  readonly mountPort?: number;
  readonly sourcePort?: "any" | "reserved" | "auto";
  readonly uid: number;
  readonly gid: number;
  readonly tls: boolean;
}

/**
 * What is known of a volume when its mount is to go: CSI tells no more than the id then.
 * `nfs`: on an export whose path is `share`, or on any for a handle that is not an id of Berth.
 */
export type UnmountSource = BindSource | { readonly kind: "nfs"; readonly share: string | undefined };

/** A volume's tree on this node, by paths without symbolic links and by what the kernel calls it. */
export interface VolumeTree {
  readonly directoryPath: string;
  /** Its identity exists as long as the volume does. */
  readonly recordPath: string;
  readonly directory: Location;
  readonly trash: Location;
}

/** @param sharePath resolved */
export function treeOf(source: BindSource, sharePath: string, table: MountTable): VolumeTree {
  const directoryPath = childOf(sharePath, source.name);
  return {
    directoryPath,
    recordPath: childOf(sharePath, `.berth/volumes/${source.name}/identity.json`),
    directory: table.locate(directoryPath),
    trash: table.locate(childOf(sharePath, ".berth/trash")),
  };
}

export function isMountOf(mount: Mount, tree: VolumeTree): boolean {
  return mount.device === tree.directory.device && mount.root === tree.directory.root;
}

/** A mount of the volume, or of what became of it: deleted while it was mounted, it lies in the trash or nowhere. */
export function wasMountOf(mount: Mount, tree: VolumeTree): boolean {
  const root = mount.root.replace(/\/\/deleted$/, "");
  if (mount.device === tree.directory.device && root === tree.directory.root) return true;
  return mount.device === tree.trash.device && isWithin(root, tree.trash.root) && root.endsWith("/tree");
}

/** What a step on a volume may have to wait for, as messages name it. */
export function storageOf(source: MountSource): string {
  return source.kind === "bind" ? `share ${source.shareName}` : storageAt(source.location.server);
}

/** Of an NFS mount, whatever its server is called by now; undefined for any other. */
export function storageOfMount({ superOptions }: Mount): string | undefined {
  const address = superOptions.find((option) => option.startsWith("addr="))?.slice("addr=".length);
  return address === undefined ? undefined : storageAt(address);
}

function storageAt(server: string): string {
  return `the NFS server ${server}`;
}

/** What an NFS mount has as its source, in the kernel's table and in what `df` prints. */
export function nfsSourceText({ location, directory }: NfsSource): string {
  const share = printLocation(location);
  if (directory === "") return share;
  return share.endsWith("/") ? share + directory : `${share}/${directory}`;
}

/** The path on the server that an NFS mount shows. */
export function pathOfNfs(mount: Mount): string | undefined {
  return parseLocation(mount.source)?.share;
}

/**
 * A mount as Berth makes it, or a bind mount of one. `nosharecache` gives each staged volume a superblock of its
 * own, and so a device number that all its mounts have and no other volume's.
 */
export function isNfsVolume(mount: Mount): boolean {
  return (mount.fsType === "nfs" || mount.fsType === "nfs4") && mount.superOptions.includes("nosharecache");
}

/**
 * Whether an NFS mount is one of this volume's and may be taken away for it. CSI names no more than the id, and the
 * server may have moved since: so what counts is where kubelet has the same superblock staged, a path that holds
 * the SHA-256 of the volume's handle. Inline volumes are never staged, and their directories have names of their own.
 * Any other mount without such a path (another CO, or the staging mount is gone) is believed to be what the caller
 * says, as long as it lies on the export that the id names.
 */
export function isNfsMountOf(
  mount: Mount,
  table: MountTable,
  volumeId: string,
  share: string | undefined,
): boolean {
  if (!isNfsVolume(mount)) return false;
  const staged = stagedHandles(table, mount.device);
  if (staged.length > 0) return staged.includes(sha256(volumeId));
  const path = pathOfNfs(mount);
  const name = path === undefined ? "" : nameOf(path);
  if (isEphemeralId(volumeId)) return name === volumeNameOf(volumeId);
  if (inlineName.test(name)) return false;
  return share === undefined || (path !== undefined && isWithin(path, share));
}

/** What `volumeNameOf` makes of an inline volume's id. */
const inlineName = /^csi-[0-9a-f]{28}~[a-z2-7]{26}$/;

/** The SHA-256 of each volume handle that kubelet has this device staged for. */
function stagedHandles(table: MountTable, device: string): string[] {
  return table.mounts
    .filter((mount) => mount.device === device)
    .map(
      ({ mountPoint }) =>
        /\/plugins\/kubernetes\.io\/csi\/[^/]+\/([0-9a-f]{64})\/globalmount$/.exec(mountPoint)?.[1],
    )
    .filter((handle) => handle !== undefined);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
