import { BerthError, hasCode } from "../core/errors.ts";
import { inParallel } from "../core/in-parallel.ts";
import type { Log } from "../core/log.ts";
import type { ShareEntry } from "../share/share.ts";
import type { SharePath } from "../share/share-path.ts";
import { ensureLayout, isThere } from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import { stagingPath, trashEntryIn, trashPath, volumesPath } from "./layout.ts";
import { Ledger } from "./ledger/ledger.ts";
import { findLostRecords, lostRecordText } from "./lost-records.ts";
import { type Purged, purge } from "./purge.ts";
import { RepeatedWarnings } from "./repeated-warnings.ts";
import { fillReserve, withReserve } from "./reserve.ts";
import { Sweeper } from "./sweep.ts";

export interface ReaperOptions {
  /** From the end of one pass to the start of the next, ms. */
  readonly intervalMs: number;
  /** Entries removed a second, so that a large tree does not crowd out the volumes in use. */
  readonly entriesPerSecondMax?: number;
  /** How old something in staging is, ms, before nobody can still be building it. */
  readonly stagingGraceMs: number;
}

export const reaperDefaults: ReaperOptions = { intervalMs: 30_000, stagingGraceMs: 3_600_000 };

/** What one pass did and left. */
export interface ReapReport {
  /** Deleted volumes whose space came back. */
  readonly purged: number;
  /** Files and directories removed. */
  readonly entries: number;
  /** Deleted volumes that wait: for their retention, or for what a warning in the log names. */
  readonly waiting: number;
  /** Since when the one that was due longest ago waits, ms since the epoch. */
  readonly oldestDueMs: number | undefined;
  /** Things in staging that were left behind and are gone now. */
  readonly swept: number;
}

/** Deleted volumes removed side by side: a huge one does not keep the small ones waiting. They share the pace. */
const purgesInFlightMax = 4;
/** A share that does not answer is asked ever less often, up to this many intervals apart. */
const backoffMax = 16;
/** So often it is looked whether records have been lost, which takes two reads for each volume. */
const recordsLookMs = 3_600_000;

/**
 * Empties the trash of one share and sweeps what was left behind in staging. All it knows stands on the
 * share, so it goes on after a restart; several may run at once, since every step may find its work done.
 */
export class Reaper {
  readonly #context: ShareContext;
  readonly #options: ReaperOptions;
  readonly #log: Log;
  readonly #warnings: RepeatedWarnings;
  readonly #sweeper: Sweeper;
  #toldLeft = "";
  #recordsDueMs: number;

  constructor(context: ShareContext, options: ReaperOptions, log: Log) {
    this.#context = context;
    this.#options = options;
    this.#sweeper = new Sweeper(context, options.stagingGraceMs);
    this.#log = log;
    this.#warnings = new RepeatedWarnings(log, context.clock);
    this.#recordsDueMs = context.clock.nowMs() + recordsLookMs;
  }

  /** Passes until the signal fires. A pass that fails is logged; the next one tries again. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      failures = (await this.#passed(signal)) ? 0 : failures + 1;
      const intervals = Math.min(2 ** failures, backoffMax);
      await this.#context.clock.sleep(this.#options.intervalMs * intervals, signal).catch(ignoreAbort);
    }
  }

  /** Goes through trash and staging once. */
  async pass(signal: AbortSignal): Promise<ReapReport> {
    const outcomes = await this.#emptyTrash(signal);
    const swept = await this.#sweeper.sweep(await this.#list(stagingPath), signal);
    await Ledger.of(this.#context).releaseGone(this.#options.stagingGraceMs);
    const report = reportOf(outcomes, swept);
    if (report.purged + swept > 0) await this.#context.share.sync();
    this.#tell(report);
    await fillReserve(this.#context.share);
    await this.#lookForLostRecords(signal);
    return report;
  }

  /** Nobody else would tell of them. */
  async #lookForLostRecords(signal: AbortSignal): Promise<void> {
    const { clock, share } = this.#context;
    if (clock.nowMs() < this.#recordsDueMs) return;
    this.#recordsDueMs = clock.nowMs() + recordsLookMs;
    for (const lost of await findLostRecords(this.#context, signal)) {
      this.#log.warn(lostRecordText(this.#context, lost), {
        share: share.name,
        volumeId: lost.identity.id,
      });
    }
  }

  async #passed(signal: AbortSignal): Promise<boolean> {
    const { share } = this.#context;
    const fields = { share: share.name };
    try {
      await this.pass(signal);
      this.#warnings.over("pass", `the reaper works on ${share.name} again`, fields);
      return true;
    } catch (reason) {
      if (signal.aborted) return true;
      const message = `the reaper could not finish its pass: ${BerthError.from(reason).message}`;
      const error = reason instanceof BerthError || !(reason instanceof Error) ? undefined : reason;
      this.#warnings.warn("pass", message, { ...fields, error });
      return false;
    }
  }

  async #emptyTrash(signal: AbortSignal): Promise<Purged[]> {
    const entries = await this.#list(trashPath);
    this.#warnings.keep(
      (key) => key === "pass" || entries.some(({ name }) => trashEntryIn(name)?.nonce === key),
    );
    const pace = this.#options.entriesPerSecondMax;
    const inFlight = Math.max(1, Math.min(purgesInFlightMax, entries.length));
    const each = pace === undefined ? undefined : Math.max(1, Math.floor(pace / inFlight));
    return await inParallel(entries, inFlight, (entry) => this.#purge(entry, each, signal));
  }

  async #purge(entry: ShareEntry, pace: number | undefined, signal: AbortSignal): Promise<Purged> {
    signal.throwIfAborted();
    const trashEntry = trashEntryIn(entry.name);
    if (trashEntry === undefined) return { kind: "foreign" };
    try {
      const options = { signal, log: this.#log, ...(pace !== undefined && { entriesPerSecondMax: pace }) };
      return await withReserve(this.#context.share, () => purge(this.#context, trashEntry, options));
    } catch (reason) {
      // A share that does not answer fails the pass: there is no use in asking it for each entry.
      const endsThePass: readonly string[] = ["storage-unavailable", "cancelled"];
      if (!(reason instanceof BerthError) || endsThePass.includes(reason.code)) throw reason;
      const { share } = this.#context;
      this.#warnings.warn(trashEntry.nonce, `cannot empty the trash: ${reason.message}`, {
        share: share.name,
      });
      return { kind: "waiting", dueMs: undefined };
    }
  }

  /** What was done; and what is left and how old it is, when that has changed. */
  #tell({ purged, entries, waiting, oldestDueMs, swept }: ReapReport): void {
    const { share } = this.#context;
    if (purged + swept > 0) {
      this.#log.info(`reaped ${purged} deleted volumes (${entries} entries) from ${share.name}`, {
        waiting,
        swept,
      });
    }
    const oldest =
      oldestDueMs === undefined ? "" : `; the first is due at ${new Date(oldestDueMs).toISOString()}`;
    const left =
      waiting === 0 ? "" : `${waiting} deleted volumes wait in the trash of ${share.name}${oldest}`;
    if (left !== "" && left !== this.#toldLeft) this.#log.info(left, { share: share.name, waiting });
    this.#toldLeft = left;
  }

  async #list(path: SharePath): Promise<ShareEntry[]> {
    const entries: ShareEntry[] = [];
    try {
      for await (const entry of this.#context.share.list(path)) entries.push(entry);
    } catch (reason) {
      if (!hasCode(reason, "storage-no-entry")) throw reason;
      await this.#restoreLayout();
    }
    return entries;
  }

  /** Backups like to leave out empty directories, and without these nothing could be deleted or grow. */
  async #restoreLayout(): Promise<void> {
    const { share } = this.#context;
    if (!(await isThere(share, volumesPath))) return; // no volume was ever made there
    await ensureLayout(share);
    await share.sync();
    this.#log.warn("directories below .berth were missing, and are made anew", { share: share.name });
  }
}

function reportOf(outcomes: readonly Purged[], swept: number): ReapReport {
  const dueMs = outcomes.flatMap((outcome) => (outcome.kind === "waiting" ? (outcome.dueMs ?? []) : []));
  return {
    purged: outcomes.filter(({ kind }) => kind === "purged").length,
    entries: outcomes.reduce((sum, outcome) => sum + (outcome.kind === "purged" ? outcome.entries : 0), 0),
    waiting: outcomes.filter(({ kind }) => kind === "waiting").length,
    oldestDueMs: dueMs.length === 0 ? undefined : Math.min(...dueMs),
    swept,
  };
}

/** The sleep ends early when the reaper is asked to stop; the loop sees that itself. */
function ignoreAbort(): void {}
