import type { Call } from "../core/call.ts";
import { BerthError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { parseVolumeId } from "../core/volume-id.ts";
import { ExportStats, type ExportStatsResult } from "../node/export-stats.ts";
import { type MountTableReader, readMountTable } from "../node/mount-table.ts";
import { type ExportLocation, parseLocation } from "../share/export-location.ts";
import type { Share } from "../share/share.ts";
import { parseSharePath } from "../share/share-path.ts";
import type { ExportAccess, ExportConfig } from "./config.ts";

/** Exports that a node keeps a client of; the one used longest ago goes. */
const sharesMax = 64;

/** The volumes on exports, as a node asks about them: over the user-space client, beside the mounts. */
export class ExportVolumes {
  readonly #exports: ReadonlyMap<string, ExportConfig>;
  readonly #log: Log;
  readonly #readTable: MountTableReader;
  readonly #stats: ExportStats;
  readonly #shares = new Map<string, Promise<Share>>();

  constructor(
    exports: readonly ExportConfig[],
    log: Log,
    stats: ExportStats = new ExportStats(),
    readTable: MountTableReader = readMountTable,
  ) {
    this.#exports = new Map(exports.map((each) => [each.name, each]));
    this.#log = log;
    this.#stats = stats;
    this.#readTable = readTable;
  }

  /** @returns undefined for a volume of another kind. @throws BerthError `not-found` when it is not mounted there */
  async stats(volumeId: string, volumePath: string, call: Call): Promise<ExportStatsResult | undefined> {
    const id = parseVolumeId(volumeId);
    if (id?.type !== "export") return undefined;
    if (!(await this.#isMounted(volumePath))) {
      throw new BerthError(
        "not-found",
        `volume ${volumeId} is not mounted at ${volumePath}: publish it there first`,
      );
    }
    const share = await this.#share(id.source);
    const request = { volumeId, share, directory: parseSharePath(id.name), recordName: id.name };
    return await this.#stats.measure(request, call);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#shares.values()].map(closeShare));
  }

  /** By the kernel's table alone: the path itself may hang. */
  async #isMounted(path: string): Promise<boolean> {
    if (!path.startsWith("/")) return false;
    return (await this.#readTable()).at(path)?.fsType.startsWith("nfs") ?? false;
  }

  async #share(source: string): Promise<Share> {
    const location = this.#exports.get(source) ?? parseLocation(source);
    if (location === undefined) {
      throw new BerthError(
        "failed-precondition",
        `this node's configuration has no export ${source}: add it under exports`,
      );
    }
    const share = this.#shares.get(source) ?? this.#open(source, { uid: 0, gid: 0, ...location });
    this.#shares.delete(source); // the one used last comes last
    this.#shares.set(source, share);
    const [oldest] = this.#shares;
    if (this.#shares.size > sharesMax && oldest !== undefined) {
      this.#shares.delete(oldest[0]);
      void closeShare(oldest[1]);
    }
    return await share;
  }

  /** A node without exports has no use for the NFS client, and many pods that would like the memory. */
  async #open(source: string, where: ExportLocation & ExportAccess): Promise<Share> {
    const { exportShare } = await import("./export-share.ts");
    return exportShare(source, where, where, this.#log);
  }
}

async function closeShare(share: Promise<Share>): Promise<void> {
  await (await share).close();
}
