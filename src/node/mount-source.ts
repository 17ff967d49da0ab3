import type { VolumeName } from "../core/volume-id.ts";
import { isWithin, type Location, type Mount, type MountTable } from "./mount-table.ts";
import { childOf } from "./node-path.ts";

/** What is mounted for a volume; each way to reach a share has its kind. */
export type MountSource = BindSource;

/** The directory `<sharePath>/<name>` of a share that is a local directory. */
export interface BindSource {
  readonly kind: "bind";
  /** How messages name the share. */
  readonly shareName: string;
  readonly sharePath: string;
  readonly name: VolumeName;
}

/** A volume's tree on this node, by paths without symbolic links and by what the kernel calls it. */
export interface VolumeTree {
  readonly directoryPath: string;
  /** Its identity exists as long as the volume does. */
  readonly recordPath: string;
  readonly directory: Location;
  readonly trash: Location;
}

/** @param sharePath resolved */
export function treeOf(source: MountSource, sharePath: string, table: MountTable): VolumeTree {
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
