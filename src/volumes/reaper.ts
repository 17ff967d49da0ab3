import { BerthError, hasCode } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { type Nonce, parseNonce } from "../core/nonce.ts";
import { parseVolumeName, type VolumeName } from "../core/volume-id.ts";
import type { ShareEntry } from "../share/share.ts";
import { join, type SharePath } from "../share/share-path.ts";
import { readRecord, readRecordAt } from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import { recordName, stagingPath, trashEntryPath, trashPath, treeName } from "./layout.ts";
import { isOwnedBy } from "./record.ts";

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

type Outcome =
  | { kind: "purged"; entries: number }
  | { kind: "waiting"; dueMs: number | undefined }
  | { kind: "foreign" };

/**
 * Empties the trash of one share and sweeps what was left behind in staging. All it knows stands on the
 * share, so it goes on after a restart; several may run at once, since every step may find its work done.
 */
export class Reaper {
  readonly #context: ShareContext;
  readonly #options: ReaperOptions;
  readonly #log: Log;

  constructor(context: ShareContext, options: ReaperOptions, log: Log) {
    this.#context = context;
    this.#options = options;
    this.#log = log;
  }

  /** Passes until the signal fires. A pass that fails is logged; the next one tries again. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.pass(signal);
      } catch (reason) {
        if (signal.aborted) return;
        this.#log.warn(`the reaper could not finish its pass: ${BerthError.from(reason).message}`, {
          share: this.#context.share.name,
          error: reason instanceof Error ? reason : undefined,
        });
      }
      await this.#context.clock.sleep(this.#options.intervalMs, signal).catch(ignoreAbort);
    }
  }

  /** Goes through trash and staging once. */
  async pass(signal: AbortSignal): Promise<ReapReport> {
    const outcomes: Outcome[] = [];
    for (const entry of await this.#list(trashPath)) {
      signal.throwIfAborted();
      outcomes.push(await this.#purge(entry, signal));
    }
    const swept = await this.#sweepStaging(signal);
    const dueMs = outcomes.flatMap((outcome) => (outcome.kind === "waiting" ? (outcome.dueMs ?? []) : []));
    const report: ReapReport = {
      purged: outcomes.filter(({ kind }) => kind === "purged").length,
      entries: outcomes.reduce((sum, outcome) => sum + (outcome.kind === "purged" ? outcome.entries : 0), 0),
      waiting: outcomes.filter(({ kind }) => kind === "waiting").length,
      oldestDueMs: dueMs.length === 0 ? undefined : Math.min(...dueMs),
      swept,
    };
    if (report.purged + report.swept > 0) {
      this.#log.info(
        `reaped ${report.purged} deleted volumes (${report.entries} entries) from ${this.#context.share.name}`,
        {
          waiting: report.waiting,
          swept,
        },
      );
    }
    return report;
  }

  async #purge(entry: ShareEntry, signal: AbortSignal): Promise<Outcome> {
    const nonce = nonceIn(entry.name);
    if (nonce === undefined) return { kind: "foreign" };
    try {
      return await this.#purgeEntry(trashEntryPath(nonce), signal);
    } catch (reason) {
      if (!(reason instanceof BerthError)) throw reason;
      this.#log.warn(`cannot empty the trash: ${reason.message}`, { share: this.#context.share.name });
      return { kind: "waiting", dueMs: undefined };
    }
  }

  /** The tree goes before the record: while there is a tree, its record says whose it is and when it is due. */
  async #purgeEntry(entry: SharePath, signal: AbortSignal): Promise<Outcome> {
    const { share, owner, clock } = this.#context;
    const record = await readRecordAt(share, join(entry, recordName));
    if (record === undefined) {
      if (await this.#isThere(join(entry, treeName))) return { kind: "waiting", dueMs: undefined }; // its deletion goes on
      await share.removeTree(entry, { signal }); // what a purge that was cut off left
      return { kind: "purged", entries: 0 };
    }
    if (!isOwnedBy(record.identity, owner)) return { kind: "foreign" };
    // Without a deletion it is a claim that came to nothing: nobody ever saw its volume.
    const dueMs = record.deleted === undefined ? 0 : Date.parse(record.deleted.purgeAfter);
    if (dueMs > clock.nowMs()) return { kind: "waiting", dueMs };
    const pace = this.#options.entriesPerSecondMax;
    const options = pace === undefined ? { signal } : { signal, entriesPerSecondMax: pace };
    const { entries } = await share.removeTree(join(entry, treeName), options);
    await share.removeTree(entry, { signal });
    return { kind: "purged", entries };
  }

  async #sweepStaging(signal: AbortSignal): Promise<number> {
    const { share } = this.#context;
    let swept = 0;
    for (const entry of await this.#list(stagingPath)) {
      signal.throwIfAborted();
      if (!(await this.#isAbandoned(entry))) continue;
      await share.removeTree(join(stagingPath, entry.name), { signal });
      swept += 1;
    }
    return swept;
  }

  /** True for something of Berth's in staging that is old, and that no claim names. */
  async #isAbandoned(entry: ShareEntry): Promise<boolean> {
    const { share, clock } = this.#context;
    const owner = stagedOwner(entry.name);
    if (owner === undefined) return false;
    try {
      const { modifiedMs } = await share.stat(join(stagingPath, entry.name));
      if (clock.nowMs() - modifiedMs < this.#options.stagingGraceMs) return false;
      if (owner.name === undefined) return true;
      return (await readRecord(share, owner.name))?.identity.nonce !== owner.nonce;
    } catch (reason) {
      if (hasCode(reason, "storage-no-entry", "failed-precondition")) return false; // gone, or not ours to judge
      throw reason;
    }
  }

  async #list(path: SharePath): Promise<ShareEntry[]> {
    const entries: ShareEntry[] = [];
    try {
      for await (const entry of this.#context.share.list(path)) entries.push(entry);
    } catch (reason) {
      if (!hasCode(reason, "storage-no-entry")) throw reason; // no volume was ever made there
    }
    return entries;
  }

  async #isThere(path: SharePath): Promise<boolean> {
    try {
      await this.#context.share.stat(path);
      return true;
    } catch (reason) {
      if (hasCode(reason, "storage-no-entry")) return false;
      throw reason;
    }
  }
}

function nonceIn(text: string): Nonce | undefined {
  try {
    return parseNonce(text);
  } catch {
    return undefined; // somebody else's file
  }
}

/** `<name>.<nonce>` is a tree for that volume, `<nonce>.json` a record on its way; all else is not ours. */
function stagedOwner(fileName: string): { name: VolumeName | undefined; nonce: Nonce } | undefined {
  const dot = fileName.lastIndexOf(".");
  const [before, after] = [fileName.slice(0, dot), fileName.slice(dot + 1)];
  const nonce = nonceIn(after === "json" ? before : after);
  if (nonce === undefined) return undefined;
  if (after === "json") return { name: undefined, nonce };
  try {
    return { name: parseVolumeName(before), nonce };
  } catch {
    return undefined; // somebody else's file
  }
}

/** The sleep ends early when the reaper is asked to stop; the loop sees that itself. */
function ignoreAbort(): void {}
