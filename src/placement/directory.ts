import { BerthError } from "../core/errors.ts";
import { printVolumeId, type VolumeId, volumeNameOf } from "../core/volume-id.ts";
import { generalOptionsProblem, optionsOfFlags } from "../share/mount-options.ts";
import type { ShareVolumes } from "../volumes/share-volumes.ts";
import {
  attributesOf,
  checkOvercommit,
  invalidParameter,
  onDeleteOf,
  type Parameters,
  refuseUnknown,
  retentionOf,
} from "./class-parameters.ts";
import type { Placed, Placement } from "./placement.ts";

/** A share of the configuration's `directories`. */
export interface ConfiguredDirectory {
  readonly name: string;
  readonly volumes: ShareVolumes;
  /** For classes that name none. */
  readonly trashRetentionMs: number;
}

const knownKeys = [
  "type",
  "share",
  "onDelete",
  "mode",
  "uid",
  "gid",
  "trashRetention",
  "overcommit",
] as const;

/** StorageClass `type: directory`: volumes on a local directory that the configuration names. */
export class DirectoryPlacement implements Placement {
  readonly type = "directory";
  readonly #directories: ReadonlyMap<string, ConfiguredDirectory>;

  constructor(directories: readonly ConfiguredDirectory[]) {
    this.#directories = new Map(directories.map((directory) => [directory.name, directory]));
  }

  get all(): readonly ShareVolumes[] {
    return [...this.#directories.values()].map(({ volumes }) => volumes);
  }

  place(parameters: Parameters, requestedName: string): Placed {
    refuseUnknown(parameters, this.type, knownKeys);
    checkOvercommit(parameters);
    const directory = this.#chosen(parameters["share"]);
    const id: VolumeId = {
      type: "directory",
      protocol: "bind",
      name: volumeNameOf(requestedName),
      source: directory.name,
    };
    printVolumeId(id); // too long an id is refused before anything is created
    return {
      volumes: directory.volumes,
      id,
      directory: attributesOf(parameters),
      onDelete: onDeleteOf(parameters),
      trashRetentionMs: retentionOf(parameters, directory.trashRetentionMs),
    };
  }

  find(id: VolumeId): ShareVolumes {
    const directory = this.#directories.get(id.source);
    if (directory !== undefined) return directory.volumes;
    throw new BerthError(
      "failed-precondition",
      `volume ${printVolumeId(id)} lies on the share ${id.source}, which the configuration does not name ` +
        `(${this.#names()}): add it under directories`,
    );
  }

  /** A node knows the share by its name, and the directory by the id. */
  contextOf(): Readonly<Record<string, string>> {
    return {};
  }

  mountProblem(mountFlags: readonly string[]): string | undefined {
    return generalOptionsProblem(optionsOfFlags(mountFlags));
  }

  #chosen(name: string | undefined): ConfiguredDirectory {
    const [first, ...others] = this.#directories.values();
    const chosen = name === undefined && others.length === 0 ? first : this.#directories.get(name ?? "");
    if (chosen !== undefined) return chosen;
    const cause = name === undefined ? "is missing" : `${JSON.stringify(name)} is not in the configuration`;
    throw invalidParameter("share", cause, `name one of ${this.#names()}`);
  }

  #names(): string {
    return [...this.#directories.keys()].join(", ") || "it names none";
  }
}
