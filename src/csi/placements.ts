import { BerthError } from "../core/errors.ts";
import { parseVolumeId, type VolumeId } from "../core/volume-id.ts";
import type { Placement } from "../placement/placement.ts";
import type { ShareVolumes } from "../volumes/share-volumes.ts";
import type { Volume } from "../volumes/volume.ts";
import { invalidField } from "./field-error.ts";
import type { Parameters } from "./parameters.ts";

/** The placements that the configuration offers, by the type of their volumes. */
export class Placements {
  readonly #placements: readonly Placement[];

  constructor(placements: readonly Placement[]) {
    this.#placements = placements;
  }

  /** Every share, in the order of the configuration. */
  get shares(): readonly ShareVolumes[] {
    return this.#placements.flatMap(({ all }) => all);
  }

  /** The placement that a class asks for. @throws BerthError `invalid-argument` */
  of(parameters: Parameters): Placement {
    const { type } = parameters;
    const types = this.#placements.map((placement) => placement.type).join(", ") || "none";
    if (type === undefined) {
      throw invalidField("parameters", "have no type", `the StorageClass must name one of: ${types}`);
    }
    const placement = this.#placements.find((offered) => offered.type === type);
    if (placement !== undefined) return placement;
    throw invalidField(
      "parameters",
      `have the type ${JSON.stringify(type)}, which this driver is not configured for`,
      `it offers: ${types}`,
    );
  }

  /** What a node needs to mount a volume, besides its id. */
  contextOf(volume: Volume): Readonly<Record<string, string>> {
    const placement = this.#placements.find(({ type }) => type === volume.id.type);
    return placement?.contextOf(volume) ?? {};
  }

  /** Why no node would mount a volume with these mount flags and this context; undefined where one would. */
  mountProblem(
    { id }: Volume,
    mountFlags: readonly string[],
    context: Readonly<Record<string, string>>,
  ): string | undefined {
    return this.#placements.find(({ type }) => type === id.type)?.mountProblem(mountFlags, context);
  }

  /**
   * Where an existing volume lives; undefined for an id that is not ours.
   * @throws BerthError `failed-precondition` when its share is not in the configuration
   */
  find(volumeId: string): { volumes: ShareVolumes; id: VolumeId } | undefined {
    const id = parseVolumeId(volumeId);
    if (id === undefined) return undefined;
    const placement = this.#placements.find(({ type }) => type === id.type);
    if (placement === undefined) {
      throw new BerthError(
        "failed-precondition",
        `volume ${volumeId} is of type ${id.type}, which this driver is not configured for: add its share to the configuration`,
      );
    }
    return { volumes: placement.find(id), id };
  }

  /** @throws BerthError `not-found` for an id that is not ours; `failed-precondition` as `find` */
  get(volumeId: string): { volumes: ShareVolumes; id: VolumeId } {
    const found = this.find(volumeId);
    if (found !== undefined) return found;
    throw new BerthError(
      "not-found",
      `volume_id ${JSON.stringify(volumeId)} is no id of Berth: give the one that CreateVolume returned`,
    );
  }
}
