import type { Call } from "../../core/call.ts";
import { type Clock, systemClock } from "../../core/clock.ts";
import { BerthError } from "../../core/errors.ts";
import { type Reply, stepError } from "../helpers/helper-script.ts";
import type { Helpers } from "../helpers/helpers.ts";
import { type BindSource, storageOf, wasMountOf } from "../mounts/mount-source.ts";
import { readMountTable } from "../mounts/mount-table.ts";
import type { NodeParts } from "../mounts/mount-work.ts";
import { parseNodePath } from "../mounts/node-path.ts";
import { type SurveyParts, survey } from "../mounts/survey.ts";
import { nodeLimits } from "../node-limits.ts";

export interface StatsRequest {
  readonly volumeId: string;
  readonly source: BindSource;
  readonly path: string;
  /** The volume's size, from its record. It is asked for all who wait: no caller's end is its end. */
  readonly sizeBytes: () => Promise<bigint>;
}

/** Of one volume; never of the whole share. */
export interface VolumeUsage {
  readonly totalBytes: bigint;
  readonly usedBytes: bigint;
  readonly availableBytes: bigint;
  readonly usedInodes: bigint;
  /** Undefined on a file system that counts none. */
  readonly availableInodes: bigint | undefined;
}

interface Known {
  readonly usage: VolumeUsage;
  readonly atMs: number;
}

export interface VolumeStatsResult {
  readonly usage: VolumeUsage;
  /** Where the figures are from, and how old they are. */
  readonly message: string;
}

export interface StatsParts extends NodeParts {
  readonly clock?: Clock;
}

/**
 * How full volumes are. A volume is measured once at a time, for all who ask, and a measurement goes
 * on when a caller's time is over: that caller gets the last known value.
 */
export class VolumeStats {
  readonly #parts: SurveyParts;
  readonly #helpers: Helpers;
  readonly #clock: Clock;
  readonly #flights = new Map<string, Promise<VolumeUsage>>();
  readonly #known = new Map<string, Known>();

  constructor({
    helpers,
    kubeletDir,
    readTable = readMountTable,
    limits = nodeLimits,
    clock = systemClock,
  }: StatsParts) {
    this.#parts = { helpers, readTable, limits, kubeletDir: parseNodePath(kubeletDir, "kubelet directory") };
    this.#helpers = helpers;
    this.#clock = clock;
  }

  /**
   * @throws BerthError `not-found` when the volume is not mounted at the path; `deadline-exceeded` when
   * measuring takes longer than the caller waits and no value is known
   */
  async measure(request: StatsRequest, call: Call): Promise<VolumeStatsResult> {
    const { volumeId } = request;
    const tree = await this.#mountedTree(request, call);
    try {
      return { usage: await untilAborted(this.#fly(request, tree), call.signal), message: "measured now" };
    } catch (error) {
      const known = this.#known.get(volumeId);
      if (known === undefined) throw error;
      const seconds = Math.round((this.#clock.nowMs() - known.atMs) / 1000);
      const message = `measured ${seconds} s ago: ${BerthError.from(error).message}`;
      call.log.warn(`usage of volume ${volumeId}: ${message}`, { volumeId });
      return { usage: known.usage, message };
    }
  }

  /** Of a volume that has left this node. */
  forget(volumeId: string): void {
    this.#known.delete(volumeId);
  }

  /** @returns the volume's directory on its share: measured there, the mount is not kept busy */
  async #mountedTree(request: StatsRequest, call: Call): Promise<string> {
    const { volumeId, source, path } = request;
    const absent = () =>
      new BerthError("not-found", `volume ${volumeId} is not mounted at ${path}: publish it there first`);
    if (!path.startsWith("/")) throw absent();
    const subject = { volumeId, source, path: parseNodePath(path, "volume path") };
    const { table, tree, path: resolved } = await survey(this.#parts, subject, call.signal);
    const mount = table.at(resolved);
    if (mount === undefined || tree === undefined || !wasMountOf(mount, tree)) throw absent();
    return tree.directoryPath;
  }

  #fly(request: StatsRequest, directoryPath: string): Promise<VolumeUsage> {
    const { volumeId } = request;
    const under = this.#flights.get(volumeId);
    if (under !== undefined) return under;
    if (this.#flights.size >= this.#parts.limits.measuresMax) {
      return Promise.reject(
        new BerthError(
          "unavailable",
          `${this.#flights.size} volumes are being measured, as many as may: retry`,
        ),
      );
    }
    const flight = this.#measure(request, directoryPath).finally(() => this.#flights.delete(volumeId));
    flight.catch(() => {}); // whoever waits gets it; perhaps nobody does any more
    this.#flights.set(volumeId, flight);
    return flight;
  }

  async #measure({ volumeId, source, sizeBytes }: StatsRequest, directoryPath: string): Promise<VolumeUsage> {
    // One after the other: a flight that ended while a helper still measured would not count as one.
    const totalBytes = await sizeBytes();
    const reply = await this.#helpers.run({
      volumeId,
      storage: storageOf(source),
      verb: "measure",
      args: [directoryPath],
      timeoutMs: this.#parts.limits.measureMsMax,
    });
    const usage = parseUsage(reply, totalBytes);
    if (usage === undefined) throw stepError("measure", reply, `volume ${volumeId}`);
    this.#known.set(volumeId, { usage, atMs: this.#clock.nowMs() });
    return usage;
  }
}

/** `<bytes>\t.`, `<inodes>\t.`, `<block size> <free blocks> <inodes> <free inodes>` */
const measurement = /^(\d+)\t\.\n(\d+)\t\.\n(\d+) (\d+) (\d+) (\d+)\n$/;

function parseUsage({ exitCode, output }: Reply, totalBytes: bigint): VolumeUsage | undefined {
  const numbers = measurement.exec(output)?.slice(1).map(BigInt);
  if (exitCode !== 0 || numbers === undefined) return undefined;
  const [usedBytes = 0n, usedInodes = 0n, blockBytes = 0n, freeBlocks = 0n, inodes = 0n, freeInodes = 0n] =
    numbers;
  const left = totalBytes > usedBytes ? totalBytes - usedBytes : 0n;
  const shareLeft = freeBlocks * blockBytes;
  return {
    totalBytes,
    usedBytes,
    availableBytes: left < shareLeft ? left : shareLeft,
    usedInodes,
    availableInodes: inodes === 0n ? undefined : freeInodes,
  };
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () =>
    aborted.reject(
      new BerthError("deadline-exceeded", "measuring the volume takes longer than the call may: ask again", {
        cause: signal.reason,
      }),
    );
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
