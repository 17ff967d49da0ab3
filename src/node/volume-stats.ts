import type { Call } from "../core/call.ts";
import { BerthError, hasCode } from "../core/errors.ts";
import { type Reply, stepError } from "./helper-script.ts";
import { isMountOf, type MountSource, type VolumeTree } from "./mount-source.ts";
import { parentOf, parseNodePath } from "./node-path.ts";
import { type SurveyParts, survey } from "./survey.ts";

/** What one volume uses and may still use: of this volume, never of the whole share. */
export interface VolumeStats {
  readonly bytes: Amount;
  readonly inodes: Amount;
}

export interface Amount {
  readonly total: bigint;
  readonly used: bigint;
  readonly available: bigint;
}

export interface StatsRequest {
  readonly volumeId: string;
  readonly source: MountSource;
  readonly path: string;
}

interface Measured {
  readonly stats: VolumeStats;
  readonly measuredMs: number;
}

/**
 * Measures volumes. Counting a large one takes long, and kubelet asks for each pod: so there is one
 * measurement for a volume at a time, whoever asks, and a caller who cannot wait gets the last one.
 */
export class VolumeStatistics {
  readonly #parts: SurveyParts;
  readonly #nowMs: () => number;
  readonly #running = new Map<string, Promise<Measured>>();
  readonly #last = new Map<string, Measured>();

  constructor(parts: SurveyParts, nowMs: () => number) {
    this.#parts = parts;
    this.#nowMs = nowMs;
  }

  /**
   * @throws BerthError `not-found` when the volume is not mounted at the path; `deadline-exceeded` when the
   * first measurement takes longer than the caller waits
   */
  async of(request: StatsRequest, call: Call): Promise<VolumeStats> {
    const { volumeId, source } = request;
    // Not there is NOT_FOUND, whatever the path looks like (csi-sanity asks with a relative one).
    if (!request.path.startsWith("/")) throw notMounted(request);
    const path = parseNodePath(request.path, "volume path");
    const view = await survey(this.#parts, { volumeId, source, path }, call.signal);
    const mount = view.table.at(view.path);
    if (mount === undefined || view.tree === undefined || !isMountOf(mount, view.tree))
      throw notMounted(request);
    const running = this.#running.get(volumeId) ?? this.#start(volumeId, view.path, view.tree);
    try {
      return (await orAborted(running, call.signal)).stats;
    } catch (reason) {
      const last = this.#last.get(volumeId);
      if (last === undefined || !hasCode(reason, "deadline-exceeded", "cancelled", "unavailable"))
        throw reason;
      const ageMs = this.#nowMs() - last.measuredMs;
      call.log.warn(`statistics of volume ${volumeId} are ${ageMs} ms old: ${reason.message}`, {
        volumeId,
        ageMs,
      });
      return last.stats;
    }
  }

  /** Of a volume that is no longer on this node. */
  forget(volumeId: string): void {
    this.#last.delete(volumeId);
  }

  #start(volumeId: string, path: string, tree: VolumeTree): Promise<Measured> {
    if (this.#running.size >= this.#parts.limits.measuresMax) {
      return Promise.reject(
        new BerthError("unavailable", `${this.#running.size} volumes are being measured on this node: retry`),
      );
    }
    const running = this.#measure(volumeId, path, tree).finally(() => this.#running.delete(volumeId));
    running.catch(() => {}); // every waiter gets the failure; this is for when the last one has gone
    this.#running.set(volumeId, running);
    return running;
  }

  async #measure(volumeId: string, path: string, tree: VolumeTree): Promise<Measured> {
    const { helpers, limits } = this.#parts;
    const args = [path, parentOf(tree.recordPath)];
    const reply = await helpers.run({ volumeId, verb: "measure", args, timeoutMs: limits.measureMsMax });
    if (reply.exitCode !== 0) throw stepError("measure", reply, `volume ${volumeId} at ${path}`);
    const measured = { stats: parseStats(reply, volumeId), measuredMs: this.#nowMs() };
    this.#last.set(volumeId, measured);
    return measured;
  }
}

/**
 * `<bytes> .`, `<inodes> .`, `<block size> <blocks free> <inodes in all> <inodes free>`, and the volume's
 * records: its sizes only grow, so the largest that they name is its size.
 */
function parseStats({ output }: Reply, volumeId: string): VolumeStats {
  const [bytesLine = "", inodesLine = "", shareLine = ""] = output.split("\n");
  const [usedBytes, usedInodes] = [wordsOf(bytesLine)[0], wordsOf(inodesLine)[0]];
  const [blockBytes, freeBlocks, , freeInodes] = wordsOf(shareLine);
  if (usedBytes === undefined || usedInodes === undefined || freeInodes === undefined)
    throw unreadable(volumeId);
  if (blockBytes === undefined || freeBlocks === undefined) throw unreadable(volumeId);
  const sizes = [...output.matchAll(/^ {2}"sizeBytes": "([0-9]{1,20})",?$/gm)].map(([, size]) =>
    BigInt(size ?? 0),
  );
  let total = 0n;
  for (const size of sizes) if (size > total) total = size;
  const left = total > usedBytes ? total - usedBytes : 0n;
  const free = blockBytes * freeBlocks;
  return {
    bytes: { total, used: usedBytes, available: left < free ? left : free },
    inodes: { total: usedInodes + freeInodes, used: usedInodes, available: freeInodes },
  };
}

function notMounted({ volumeId, path }: StatsRequest): BerthError {
  return new BerthError("not-found", `volume ${volumeId} is not mounted at ${path} on this node`);
}

function wordsOf(line: string): bigint[] {
  return line
    .split(/\s+/)
    .filter((word) => /^[0-9]+$/.test(word))
    .map(BigInt);
}

function unreadable(volumeId: string): BerthError {
  return new BerthError(
    "unavailable",
    `volume ${volumeId}: du and stat gave no numbers: look whether its files can be read`,
  );
}

/** The caller's end ends its wait, not the measurement: others may wait for it too. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(BerthError.from(signal.reason));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
