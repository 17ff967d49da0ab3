import { parseDurationMs } from "../core/duration.ts";
import { BerthError } from "../core/errors.ts";
import { printVolumeId, type VolumeId, volumeNameOf } from "../core/volume-id.ts";
import type { ShareVolumes } from "../volumes/share-volumes.ts";
import type { DirectoryAttributes } from "../volumes/volume.ts";
import type { Placed, Placement } from "./placement.ts";

/** A share of the configuration's `directories`. */
export interface ConfiguredDirectory {
  readonly name: string;
  readonly volumes: ShareVolumes;
  /** For classes that name none. */
  readonly trashRetentionMs: number;
}

type Parameters = Readonly<Record<string, string>>;

const knownKeys = ["type", "share", "mode", "uid", "gid", "trashRetention"] as const;

/** Pods run as any user, and only the claim's own pods ever see the directory. */
const defaultMode = 0o777;
const idMax = 2 ** 32 - 2;

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
    refuseUnknown(parameters);
    const directory = this.#chosen(parameters["share"]);
    const id: VolumeId = {
      type: "directory",
      protocol: "bind",
      name: volumeNameOf(requestedName),
      source: directory.name,
    };
    printVolumeId(id); // too long an id is refused before anything is created
    const retention = parameters["trashRetention"];
    return {
      volumes: directory.volumes,
      id,
      directory: attributesOf(parameters),
      trashRetentionMs:
        retention === undefined ? directory.trashRetentionMs : durationOf("trashRetention", retention),
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

  #chosen(name: string | undefined): ConfiguredDirectory {
    const [first, ...others] = this.#directories.values();
    const chosen = name === undefined && others.length === 0 ? first : this.#directories.get(name ?? "");
    if (chosen !== undefined) return chosen;
    const cause = name === undefined ? "is missing" : `${JSON.stringify(name)} is not in the configuration`;
    throw invalid("share", cause, `name one of ${this.#names()}`);
  }

  #names(): string {
    return [...this.#directories.keys()].join(", ") || "it names none";
  }
}

function refuseUnknown(parameters: Parameters): void {
  for (const key of Object.keys(parameters)) {
    if (knownKeys.some((known) => known === key)) continue;
    throw invalid(key, "is unknown to type: directory", `it knows ${knownKeys.join(", ")}`);
  }
}

function attributesOf(parameters: Parameters): DirectoryAttributes {
  const [mode, uid, gid] = [parameters["mode"], parameters["uid"], parameters["gid"]];
  return {
    mode: mode === undefined ? defaultMode : modeOf(mode),
    ...(uid === undefined ? {} : { uid: idOf("uid", uid) }),
    ...(gid === undefined ? {} : { gid: idOf("gid", gid) }),
  };
}

function modeOf(text: string): number {
  if (!/^0?[0-7]{3,4}$/.test(text) || Number.parseInt(text, 8) > 0o7777) {
    throw invalid(
      "mode",
      `${JSON.stringify(text)} is no mode`,
      'write three or four octal digits in quotes, such as "0770"',
    );
  }
  return Number.parseInt(text, 8);
}

function idOf(key: string, text: string): number {
  if (!/^(0|[1-9][0-9]{0,9})$/.test(text) || Number(text) > idMax) {
    throw invalid(
      key,
      `${JSON.stringify(text)} is no numeric id`,
      `write a number from 0 to ${idMax} in quotes`,
    );
  }
  return Number(text);
}

function durationOf(key: string, text: string): number {
  try {
    return parseDurationMs(text);
  } catch (reason) {
    throw invalid(key, BerthError.from(reason).message, "0 keeps nothing");
  }
}

function invalid(key: string, cause: string, remedy: string): BerthError {
  return new BerthError("invalid-argument", `StorageClass parameter ${key} ${cause}: ${remedy}`);
}
