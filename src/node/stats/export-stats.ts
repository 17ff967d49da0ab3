import type { Call } from "../../core/call.ts";
import { type Clock, systemClock } from "../../core/clock.ts";
import { BerthError } from "../../core/errors.ts";
import type { VolumeName } from "../../core/volume-id.ts";
import type { Share } from "../../share/share.ts";
import type { SharePath } from "../../share/share-path.ts";
import { type ExportFigures, exportFigures } from "./export-figures.ts";
import type { VolumeUsage } from "./volume-stats.ts";

/** A volume on an export, as the user-space client finds it: the mount is never touched. */
export interface ExportStatsRequest {
  readonly volumeId: string;
  /** The export, by the user-space client; it is the caller's to keep and to close. */
  readonly share: Share;
  /** The volume's directory, relative to the export; where there is a record, that one says. */
  readonly directory: SharePath;
  /** Under which name its record lies; undefined for a volume that Berth did not make. */
  readonly recordName: VolumeName | undefined;
  /** That it lives with its pod: nobody asked for a size, and the one in its record is a default. */
  readonly isInline?: boolean;
}

export interface ExportStatsResult {
  /** Undefined as long as the server has never answered. */
  readonly usage: VolumeUsage | undefined;
  readonly condition: { readonly abnormal: boolean; readonly message: string };
}

export interface ExportStatsLimits {
  /** For the server's answers; far below the two minutes that kubelet gives the call. */
  readonly answerMsMax: number;
  /** Volumes that are asked about at once. */
  readonly flightsMax: number;
  /** Volumes whose last figures are remembered. */
  readonly knownMax: number;
}

export const exportStatsLimits: ExportStatsLimits = { answerMsMax: 5_000, flightsMax: 64, knownMax: 1024 };

interface Known {
  readonly figures: ExportFigures;
  readonly atMs: number;
}

/**
 * How full volumes on exports are. A volume is asked about once at a time, for all who want to know. When the
 * server does not answer, the last figures are given, and the condition says so and how old they are.
 */
export class ExportStats {
  readonly #clock: Clock;
  readonly #limits: ExportStatsLimits;
  readonly #flights = new Map<string, Promise<ExportFigures>>();
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock = systemClock, limits: ExportStatsLimits = exportStatsLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Always answers, and in time. That the volume is mounted where it is asked about is the caller's to check. */
  async measure(request: ExportStatsRequest, call: Call): Promise<ExportStatsResult> {
    const { volumeId } = request;
    try {
      const { usage, abnormal, message } = await this.#fly(request);
      return { usage, condition: { abnormal, message } };
    } catch (reason) {
      const error = BerthError.from(reason);
      call.log.warn(`the usage of volume ${volumeId} is not known: ${error.message}`, { volumeId });
      return this.#withoutAnswer(volumeId, error);
    }
  }

  /** Of a volume that has left this node. */
  forget(volumeId: string): void {
    this.#known.delete(volumeId);
  }

  #withoutAnswer(volumeId: string, error: BerthError): ExportStatsResult {
    const known = this.#known.get(volumeId);
    const isLate = error.code === "cancelled" || error.code === "deadline-exceeded";
    const cause = isLate ? `the server has not answered for ${this.#limits.answerMsMax} ms` : error.message;
    if (known === undefined) return { usage: undefined, condition: { abnormal: true, message: cause } };
    const seconds = Math.round((this.#clock.nowMs() - known.atMs) / 1000);
    const message = `${cause}; the figures are as of ${seconds} s ago: ${known.figures.message}`;
    return { usage: known.figures.usage, condition: { abnormal: true, message } };
  }

  #fly(request: ExportStatsRequest): Promise<ExportFigures> {
    const { volumeId } = request;
    const under = this.#flights.get(volumeId);
    if (under !== undefined) return under;
    if (this.#flights.size >= this.#limits.flightsMax) {
      const busy = `${this.#flights.size} volumes are being asked about, as many as may`;
      return Promise.reject(new BerthError("unavailable", busy));
    }
    const flight = this.#ask(request).finally(() => this.#flights.delete(volumeId));
    this.#flights.set(volumeId, flight);
    return flight;
  }

  async #ask(request: ExportStatsRequest): Promise<ExportFigures> {
    const figures = await inTime(this.#limits.answerMsMax, (signal) =>
      exportFigures(request, this.#clock.nowMs(), signal),
    );
    this.#known.delete(request.volumeId); // the one asked about last comes last
    this.#known.set(request.volumeId, { figures, atMs: this.#clock.nowMs() });
    const [oldest] = this.#known.keys();
    if (this.#known.size > this.#limits.knownMax && oldest !== undefined) this.#known.delete(oldest);
    return figures;
  }
}

/** Whatever the work does with its signal. */
async function inTime<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const expired = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new BerthError("deadline-exceeded", `no answer in ${timeoutMs} ms`);
    expired.reject(error);
    late.abort(error);
  }, timeoutMs);
  try {
    return await Promise.race([work(late.signal), expired.promise]);
  } finally {
    clearTimeout(timer);
  }
}
