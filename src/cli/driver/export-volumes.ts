import type { Call } from "../../core/call.ts";
import { BerthError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { parseVolumeId, volumeNameOf } from "../../core/volume-id.ts";
import { nfsLimits } from "../../nfs/limits.ts";
import { isEphemeralId } from "../../node/ephemeral/ephemeral-id.ts";
import type { MountLooker } from "../../node/mounts/mount-looker.ts";
import { isWithin, type Mount } from "../../node/mounts/mount-table.ts";
import { parentOf } from "../../node/mounts/node-path.ts";
import type { ExportStatsRequest } from "../../node/stats/export-figures.ts";
import { ExportStats, type ExportStatsResult } from "../../node/stats/export-stats.ts";
import { type ExportLocation, parseLocation, printLocation } from "../../share/export-location.ts";
import type { Share } from "../../share/share.ts";
import { parseSharePath } from "../../share/share-path.ts";
import type { ExportAccess, ExportConfig } from "../config/config.ts";

/** Exports that a node keeps a client of; the one used longest ago goes. */
const sharesMax = 64;

/** A client of an export, and the volumes on this node that it was needed for. */
interface OpenShare {
  readonly share: Promise<Share>;
  readonly volumeIds: Set<string>;
}

/** The volumes on exports, as a node asks about them: over the user-space client, beside the mounts. */
export class ExportVolumes {
  readonly #exports: readonly ExportConfig[];
  readonly #log: Log;
  readonly #look: MountLooker;
  readonly #stats: ExportStats;
  readonly #shares = new Map<string, OpenShare>();

  constructor(
    exports: readonly ExportConfig[],
    log: Log,
    look: MountLooker,
    stats: ExportStats = new ExportStats(),
  ) {
    this.#exports = exports;
    this.#log = log;
    this.#look = look;
    this.#stats = stats;
  }

  /** @returns undefined for a volume of another kind. @throws BerthError `not-found` when it is not mounted there */
  async stats(volumeId: string, volumePath: string, call: Call): Promise<ExportStatsResult | undefined> {
    const id = parseVolumeId(volumeId);
    if (id !== undefined && id.type !== "export") return undefined;
    const mount = await this.#look(volumeId, volumePath, call.signal);
    const isMounted = mount?.fsType.startsWith("nfs") ?? false;
    if (id === undefined) {
      const request = mount && isMounted ? await this.#byMount(volumeId, mount) : undefined;
      return request && (await this.#stats.measure(request, call));
    }
    if (!isMounted) {
      throw new BerthError(
        "not-found",
        `volume ${volumeId} is not mounted at ${volumePath}: publish it there first`,
      );
    }
    const configured =
      this.#exports.find(({ name }) => name === id.source) ??
      this.#exports.find((each) => printLocation(each) === id.source);
    const location = configured ?? parseLocation(id.source);
    if (location === undefined) {
      throw new BerthError(
        "failed-precondition",
        `this node's configuration has no export ${id.source}: add it under exports`,
      );
    }
    const share = await this.#share(volumeId, id.source, { uid: 0, gid: 0, ...location });
    const request = { volumeId, share, directory: parseSharePath(id.name), recordName: id.name };
    return await this.#stats.measure(request, call);
  }

  /** Of a volume that has left this node; the client of an export goes with the last one on it. */
  forget(volumeId: string): void {
    this.#stats.forget(volumeId);
    for (const [source, { share, volumeIds }] of this.#shares) {
      if (!volumeIds.delete(volumeId) || volumeIds.size > 0) continue;
      this.#shares.delete(source);
      void closeShare(share); // the volume has left, whether or not its server answers
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#shares.values()].map(({ share }) => closeShare(share)));
  }

  /** A volume that Berth did not make, or made for a pod: the mount tells where it is. */
  async #byMount(volumeId: string, mount: Mount): Promise<ExportStatsRequest | undefined> {
    const location = parseLocation(mount.source);
    if (location === undefined) return undefined;
    const { server, share: path } = location;
    const isInline = isEphemeralId(volumeId);
    const parent = parentOf(path); // an inline volume's directory lies in its share
    const ports = portsOf(mount);
    const known = this.#exports.find(
      (each) =>
        each.server === server &&
        (each.port ?? nfsLimits.port) === (ports.port ?? nfsLimits.port) &&
        (isInline ? each.share === parent : isWithin(path, each.share)),
    );
    const root = known?.share ?? (isInline ? parent : path); // else where the export itself begins is not known here
    const access = known ?? { uid: 0, gid: 0, ...ports };
    const source = known?.name ?? printLocation({ server, share: root });
    const share = await this.#share(volumeId, source, { ...access, server, share: root });
    const directory = parseSharePath(path.slice(root.length).replace(/^\//, ""));
    return {
      volumeId,
      share,
      directory,
      recordName: isInline ? volumeNameOf(volumeId) : undefined,
      isInline,
    };
  }

  async #share(volumeId: string, source: string, where: ExportLocation & ExportAccess): Promise<Share> {
    const open = this.#shares.get(source) ?? { share: this.#open(source, where), volumeIds: new Set() };
    open.volumeIds.add(volumeId);
    this.#shares.delete(source); // the one used last comes last
    this.#shares.set(source, open);
    const [oldest] = this.#shares;
    if (this.#shares.size > sharesMax && oldest !== undefined) {
      this.#shares.delete(oldest[0]);
      void closeShare(oldest[1].share);
    }
    try {
      return await open.share;
    } catch (error) {
      if (this.#shares.get(source) === open) this.#shares.delete(source); // next time it may work
      throw error;
    }
  }

  /** A node without exports has no use for the NFS client, and many pods that would like the memory. */
  async #open(source: string, where: ExportLocation & ExportAccess): Promise<Share> {
    const { exportShare } = await import("./export-share.ts");
    return exportShare(source, where, where, this.#log);
  }
}

/** As the kernel's client was told (nfs(5)). */
function portsOf({ superOptions }: Mount): Pick<ExportAccess, "port" | "mountPort"> {
  const numberOf = (key: string): number =>
    Number(superOptions.find((option) => option.startsWith(`${key}=`))?.slice(key.length + 1));
  const [port, mountPort] = [numberOf("port"), numberOf("mountport")];
  return { ...(port > 0 ? { port } : {}), ...(mountPort > 0 ? { mountPort } : {}) };
}

async function closeShare(share: Promise<Share>): Promise<void> {
  await share.then((opened) => opened.close()).catch(() => {}); // whoever asked for it was told
}
