import { BerthError } from "../core/errors.ts";
import { parseVolumeId, type VolumeId } from "../core/volume-id.ts";
import {
  type ExportLocation,
  parseLocation,
  printLocation,
  serverProblem,
  sharePathProblem,
} from "../share/export-location.ts";
import { componentsOf, meansBerthsFolder, parseSharePath, type SharePath } from "../share/share-path.ts";
import type { MountSource, NfsAccess, NfsSource, UnmountSource } from "./mounts/mount-source.ts";

/** What this node's configuration knows of shares, by their names. */
export interface KnownShares {
  /** Paths on this node. */
  readonly directories: ReadonlyMap<string, string>;
  readonly exports: ReadonlyMap<string, KnownExport>;
}

export interface KnownExport extends ExportLocation {
  readonly access: NfsAccess;
  readonly mountOptions?: string;
}

/** `volume_context`: as the controller gives it, or as a PersistentVolume written by hand has it. */
export interface VolumeContext {
  readonly [key: string]: string | undefined;
  readonly export?: string;
  readonly server?: string;
  readonly share?: string;
  /** Relative to the share. */
  readonly subDir?: string;
  /** Of the class, as mount(8) takes them. */
  readonly mountOptions?: string;
}

const contextKeys = ["export", "server", "share", "subDir", "mountOptions"];
/** Kubernetes adds keys of its own under these. */
const foreignPrefixes = ["csi.storage.k8s.io/", "storage.kubernetes.io/"];

/** For an export that no configuration names nothing is known but where it is. */
const unknownAccess: NfsAccess = { uid: 0, gid: 0, tls: false };

/**
 * What to mount for a volume: by its id, or by its context alone when the id is a handle that somebody chose.
 * @throws BerthError `invalid-argument` for a context that is hostile or contradicts the id, `not-found` for a
 * handle with nothing to go by, `failed-precondition` for a share that this node does not know
 */
export function mountSourceOf(volumeId: string, context: VolumeContext, shares: KnownShares): MountSource {
  const id = parseVolumeId(volumeId);
  if (id?.type === "directory" && id.protocol === "bind") return bindSource(volumeId, id, shares);
  if (id !== undefined && (id.type !== "export" || id.protocol !== "nfs")) throw unknownShare(volumeId, id);
  refuseUnknownKeys(context);
  if (id !== undefined) return exportSource(volumeId, id, context, shares);
  const found = locationIn(context, shares);
  if (found === undefined) throw notOurs(volumeId);
  return nfsSource(found, subDirOf(context), undefined, context);
}

/** What is known of a volume by its id alone; undefined where nothing can be mounted for it. */
export function unmountSourceOf(volumeId: string, shares: KnownShares): UnmountSource | undefined {
  const id = parseVolumeId(volumeId);
  if (id === undefined) return { kind: "nfs", share: undefined };
  if (id.type === "export") {
    const location = parseLocation(id.source) ?? shares.exports.get(id.source);
    return { kind: "nfs", share: location?.share };
  }
  const sharePath = shares.directories.get(id.source);
  if (id.type !== "directory" || id.protocol !== "bind" || sharePath === undefined) return undefined;
  return { kind: "bind", shareName: id.source, sharePath, name: id.name };
}

function bindSource(volumeId: string, id: VolumeId, { directories }: KnownShares): MountSource {
  const sharePath = directories.get(id.source);
  if (sharePath === undefined) throw unknownShare(volumeId, id);
  return { kind: "bind", shareName: id.source, sharePath, name: id.name };
}

function exportSource(
  volumeId: string,
  id: VolumeId,
  context: VolumeContext,
  shares: KnownShares,
): NfsSource {
  const ofId = exportNamed(id.source, shares);
  if (ofId === undefined) throw unknownShare(volumeId, id);
  const ofContext = locationIn(context, shares);
  if (ofContext !== undefined && ofContext.shareName !== ofId.shareName) {
    throw invalid(
      `volume ${volumeId}: its context names the export ${ofContext.shareName}, its id ${ofId.shareName}`,
      "correct the PersistentVolume",
    );
  }
  const directory = context.subDir === undefined ? parseSharePath(id.name) : subDirOf(context);
  if (directory === "") throw invalid(`volume ${volumeId}: subDir is empty`, "name the volume's directory");
  return nfsSource(ofId, directory, parseSharePath(`.berth/volumes/${id.name}/identity.json`), context);
}

type FoundExport = Pick<NfsSource, "shareName" | "location" | "access" | "configured" | "exportOptions">;

function nfsSource(
  found: FoundExport,
  directory: SharePath,
  record: SharePath | undefined,
  { mountOptions = "" }: VolumeContext,
): NfsSource {
  return { kind: "nfs", ...found, directory, record, mountOptions };
}

/**
 * As an id or a context names an export: the configuration's name for it, or `server:/share`. The configuration may
 * know that place too, and then says how it is spoken to; only a name may come to mean another place.
 */
function exportNamed(source: string, { exports }: KnownShares): FoundExport | undefined {
  const named = exports.get(source);
  const place = parseLocation(source);
  const known = named ?? [...exports.values()].find((each) => printLocation(each) === source);
  if (known !== undefined) {
    const { server, share, access, mountOptions: exportOptions = "" } = known;
    const configured = named !== undefined;
    return { shareName: source, location: { server, share }, access, configured, exportOptions };
  }
  if (place === undefined) return undefined;
  return {
    ...{ shareName: source, location: place, access: unknownAccess },
    ...{ configured: false, exportOptions: "" },
  };
}

function locationIn(context: VolumeContext, shares: KnownShares): FoundExport | undefined {
  const { export: name, server, share } = context;
  if (name !== undefined) {
    if (server !== undefined || share !== undefined) {
      throw invalid("volume context: export stands beside server or share", "give one or the other");
    }
    const found = shares.exports.has(name) ? exportNamed(name, shares) : undefined;
    if (found !== undefined) return found;
    throw new BerthError(
      "failed-precondition",
      `volume context: this node's configuration has no export ${JSON.stringify(name)}: add it under exports`,
    );
  }
  if (server === undefined && share === undefined) return undefined;
  if (server === undefined || share === undefined) {
    throw invalid(
      `volume context: ${server === undefined ? "server" : "share"} is missing`,
      "they go together",
    );
  }
  const problem = serverProblem(server) ?? sharePathProblem(share);
  if (problem !== undefined) throw new BerthError("invalid-argument", `volume context: ${problem}`);
  return exportNamed(printLocation({ server, share }), shares);
}

function subDirOf({ subDir = "" }: VolumeContext): SharePath {
  if (subDir.startsWith("/")) throw invalid("volume context: subDir is absolute", "it begins at the share");
  if (/\p{Cc}/u.test(subDir)) throw invalid("volume context: subDir has a control character", "leave it out");
  const directory = parseSharePath(subDir);
  if (componentsOf(directory).some(meansBerthsFolder)) {
    throw invalid(
      "volume context: subDir leads into .berth, where Berth keeps its records",
      "name a volume's directory",
    );
  }
  return directory;
}

function refuseUnknownKeys(context: VolumeContext): void {
  const unknown = Object.keys(context).find(
    (key) => !contextKeys.includes(key) && !foreignPrefixes.some((prefix) => key.startsWith(prefix)),
  );
  if (unknown === undefined) return;
  throw invalid(
    `volume context: ${JSON.stringify(unknown.slice(0, 100))} is no key of Berth`,
    `use ${contextKeys.join(", ")}`,
  );
}

function notOurs(volumeId: string): BerthError {
  return new BerthError(
    "not-found",
    `volume ${JSON.stringify(volumeId)} is not one of Berth: use the id that CreateVolume gave, ` +
      "or write server, share and subDir into the PersistentVolume's volumeAttributes",
  );
}

function unknownShare(volumeId: string, id: VolumeId): BerthError {
  return new BerthError(
    "failed-precondition",
    `volume ${volumeId}: this node has no ${id.type} share ${id.source}: add it to the node's configuration`,
  );
}

function invalid(cause: string, remedy: string): BerthError {
  return new BerthError("invalid-argument", `${cause}: ${remedy}`);
}
