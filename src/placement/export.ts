import { BerthError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { printVolumeId, type VolumeId, volumeNameOf } from "../core/volume-id.ts";
import {
  checkLocation,
  type ExportLocation,
  parseLocation,
  printLocation,
} from "../share/export-location.ts";
import { mergeOptions, nfsOptionsProblem, optionsIn, optionsOfFlags } from "../share/mount-options.ts";
import { archiveBytes } from "../volumes/layout.ts";
import type { ShareVolumes } from "../volumes/share-volumes.ts";
import type { Claim, Volume } from "../volumes/volume.ts";
import {
  adoptionOf,
  attributesOf,
  checkOvercommit,
  invalidParameter,
  onDeleteOf,
  type Parameters,
  refuseUnknown,
  retentionOf,
} from "./class-parameters.ts";
import type { Placed, Placement } from "./placement.ts";
import { isShared, subDirOf } from "./sub-dir.ts";

/** An export in use: of the configuration's `exports`, or one that only a class or an id names. */
export interface OpenedExport {
  /** As ids name it: the configuration's name for it, or `server:/share`. */
  readonly source: string;
  readonly location: ExportLocation;
  /** Of its NFS server; the usual one unless given. */
  readonly port?: number;
  readonly volumes: ShareVolumes;
  /** For classes that name none. */
  readonly trashRetentionMs: number;
}

export interface ExportPlacementParts {
  /** The configuration's, by name. */
  readonly exports: readonly OpenedExport[];
  /** Opens one that is not in the configuration: it is served, but not listed, measured or reaped. */
  readonly open: (location: ExportLocation) => OpenedExport;
}

/** The keys of a class of `type: export`. */
export const exportClassKeys = [
  "type",
  "export",
  "server",
  "share",
  "subDir",
  "onDelete",
  "adoptExisting",
  "mode",
  "uid",
  "gid",
  "trashRetention",
  "mountOptions",
  "overcommit",
] as const;

/** Exports that no configuration names, kept open at once; of more, the one that was used longest ago is closed. */
const unmanagedMax = 256;
/** Of servers that only a class names (RFC 7530 §3.1). */
const usualPort = 2049;

/** StorageClass `type: export`: volumes on NFS exports that exist already. */
export class ExportPlacement implements Placement {
  readonly type = "export";
  readonly #configured: ReadonlyMap<string, OpenedExport>;
  readonly #open: ExportPlacementParts["open"];
  /** The one used last is the last. */
  readonly #unmanaged = new Map<string, OpenedExport>();

  constructor({ exports, open }: ExportPlacementParts) {
    this.#configured = new Map(exports.map((each) => [each.source, each]));
    this.#open = open;
  }

  get all(): readonly ShareVolumes[] {
    return [...this.#configured.values()].map(({ volumes }) => volumes);
  }

  /** Those open that no configuration names. */
  get unmanaged(): readonly OpenedExport[] {
    return [...this.#unmanaged.values()];
  }

  place(parameters: Parameters, requestedName: string, claim?: Claim): Placed {
    refuseUnknown(parameters, this.type, exportClassKeys);
    checkOvercommit(parameters);
    mergeOptions([
      optionsIn(parameters["mountOptions"] ?? "", "of mountOptions of the StorageClass's parameters"),
    ]);
    const chosen = this.#chosen(parameters);
    const name = volumeNameOf(requestedName);
    const { subDir } = parameters;
    const path = subDir === undefined ? undefined : subDirOf(subDir, { volumeName: requestedName, claim });
    const [onDelete, adopt] = [onDeleteOf(parameters), adoptionOf(parameters)];
    if (onDelete === "archive") checkArchivable(path ?? name);
    const id: VolumeId = { type: "export", protocol: "nfs", name, source: chosen.source };
    checkIdLength(id);
    return {
      volumes: chosen.volumes,
      id,
      directory: attributesOf(parameters),
      ...(path === undefined ? {} : { path }),
      ...(adopt === undefined ? {} : { adopt }),
      onDelete,
      trashRetentionMs: retentionOf(parameters, chosen.trashRetentionMs),
      ...(adopt === undefined ? {} : adoptionWarning(subDir)),
    };
  }

  find(id: VolumeId): ShareVolumes {
    return this.#of(id).volumes;
  }

  /**
   * Where the node finds the volume: the same keys as in a PersistentVolume written by hand. A
   * configured export is named, since its server may move.
   */
  contextOf({ id, directory, parameters }: Volume): Readonly<Record<string, string>> {
    const location = parseLocation(id.source);
    const { mountOptions } = parameters;
    return {
      ...(location === undefined ? { export: id.source } : location),
      subDir: directory,
      ...(mountOptions === undefined ? {} : { mountOptions }),
    };
  }

  mountProblem(mountFlags: readonly string[], context: Readonly<Record<string, string>>): string | undefined {
    return nfsOptionsProblem([
      optionsIn(context["mountOptions"] ?? "", "of mountOptions of the volume's context"),
      optionsOfFlags(mountFlags),
    ]);
  }

  #chosen(parameters: Parameters): OpenedExport {
    const { export: name, server, share } = parameters;
    if (name !== undefined && (server !== undefined || share !== undefined)) {
      throw invalidParameter(
        "export",
        "stands beside server or share",
        "name an export of the configuration, or give server and share",
      );
    }
    if (name !== undefined) return this.#named(name);
    if (server !== undefined && share !== undefined) {
      checkLocation({ server, share });
      this.#refuseOverlap({ server, share });
      return this.#at({ server, share });
    }
    if (server !== undefined || share !== undefined) {
      const missing = server === undefined ? "server" : "share";
      throw invalidParameter(missing, "is missing", "server and share go together");
    }
    const [only, ...others] = this.#configured.values();
    if (only !== undefined && others.length === 0) return only;
    throw invalidParameter("export", "is missing", `name one of ${this.#names()}, or give server and share`);
  }

  /**
   * As the configuration refuses it of two exports of its own: claims keep the directories of one share apart, and
   * know nothing of another's.
   */
  #refuseOverlap({ server, share }: ExportLocation): void {
    for (const { source, location, port = usualPort } of this.#configured.values()) {
      if (location.server !== server || port !== usualPort) continue;
      const isBelow = lies(share, location.share);
      if (!isBelow && !lies(location.share, share)) continue;
      throw invalidParameter(
        "share",
        `${JSON.stringify(share)} ${isBelow ? "lies in" : "contains"} the export ${source} of the configuration (${printLocation(location)}), ` +
          "so one's volumes could lie in the other's",
        `give export: ${source}, with a subDir below it, in place of server and share`,
      );
    }
  }

  #named(name: string): OpenedExport {
    const found = this.#configured.get(name);
    if (found !== undefined) return found;
    throw invalidParameter(
      "export",
      `${JSON.stringify(name)} is not in the configuration`,
      `name one of ${this.#names()}`,
    );
  }

  #of(id: VolumeId): OpenedExport {
    const location = parseLocation(id.source);
    if (location !== undefined) return this.#at(location);
    const found = this.#configured.get(id.source);
    if (found !== undefined) return found;
    throw new BerthError(
      "failed-precondition",
      `volume ${printVolumeId(id)} lies on the export ${id.source}, which the configuration does not name ` +
        `(${this.#names()}): add it under exports`,
    );
  }

  #at(location: ExportLocation): OpenedExport {
    const source = printLocation(location);
    const configured = [...this.#configured.values()].find((each) => printLocation(each.location) === source);
    if (configured !== undefined) return { ...configured, source }; // named since, or a class names it by its place
    const known = this.#unmanaged.get(source);
    this.#unmanaged.delete(source);
    if (known === undefined && this.#unmanaged.size >= unmanagedMax) this.#closeOldest();
    const opened = known ?? this.#open(location);
    this.#unmanaged.set(source, opened);
    return opened;
  }

  /** What is under way on it answers UNAVAILABLE, and comes again. */
  #closeOldest(): void {
    const [oldest] = this.#unmanaged;
    if (oldest === undefined) return;
    const [source, { volumes }] = oldest;
    this.#unmanaged.delete(source);
    void volumes.share.close();
  }

  #names(): string {
    return [...this.#configured.keys()].join(", ") || "it names none";
  }
}

/** Whether a path lies below another. */
function lies(path: string, above: string): boolean {
  return path !== above && path.startsWith(above === "/" ? above : `${above}/`);
}

function adoptionWarning(subDir: string | undefined): { readonly warning?: string } {
  if (subDir === undefined || !isShared(subDir)) return {};
  const warning =
    `adoptExisting gives the directory ${JSON.stringify(subDir)} to claims of every namespace, with what another's has ` +
    `left in it: unless that is meant, make \${pvc.metadata.namespace} a component of subDir`;
  return { warning };
}

/** Too long an id is refused before anything is created. */
function checkIdLength(id: VolumeId): void {
  try {
    printVolumeId(id);
  } catch (reason) {
    if (parseLocation(id.source) === undefined) throw reason;
    throw invalidParameter(
      "share",
      `makes, with server, volume ids of more than the ${limits.csiStringBytesMax} bytes that CSI has for them`,
      "name the export in the driver's configuration (exports), and give that name as export in place of server and share",
    );
  }
}

/** The name of an archived directory is longer than its own: that is found out now, not at deletion. */
function checkArchivable(path: string): void {
  const last = path.slice(path.lastIndexOf("/") + 1);
  if (Buffer.byteLength(last) + archiveBytes <= limits.fileNameBytesMax) return;
  throw invalidParameter(
    "onDelete",
    `archive makes the name ${JSON.stringify(last)} longer than ${limits.fileNameBytesMax} bytes`,
    `shorten it to ${limits.fileNameBytesMax - archiveBytes}`,
  );
}
