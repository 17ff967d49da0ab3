import { BerthError, hasCode } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { type Nonce, parseNonce } from "../core/nonce.ts";
import { parseVolumeName, type VolumeName } from "../core/volume-id.ts";
import type { ShareEntry } from "../share/share.ts";
import { join, type SharePath } from "../share/share-path.ts";
import { readRecord, readRecordAt, removeIfEmpty } from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import { purgedName, recordName, stagingPath, trashEntryPath, trashPath, treeName } from "./layout.ts";
import { Ledger } from "./ledger/ledger.ts";
import { removeParents } from "./parents.ts";
import { claimAt, reclaimFrom, releasePath } from "./path-claim.ts";
import { isOwnedBy, type VolumeRecord } from "./record.ts";

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
    await Ledger.of(this.#context).releaseGone(this.#options.stagingGraceMs);
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
      return await this.#purgeEntry(nonce, signal);
    } catch (reason) {
      if (!(reason instanceof BerthError)) throw reason;
      this.#log.warn(`cannot empty the trash: ${reason.message}`, { share: this.#context.share.name });
      return { kind: "waiting", dueMs: undefined };
    }
  }

  /** The tree goes before the record: while there is a tree, its record says whose it is and when it is due. */
  async #purgeEntry(nonce: Nonce, signal: AbortSignal): Promise<Outcome> {
    const { share, owner, clock } = this.#context;
    const entry = trashEntryPath(nonce);
    const [tree, recordAt] = [join(entry, treeName), join(entry, recordName)];
    const [fileid, record] = [await this.#fileid(tree), await readRecordAt(share, recordAt)];
    if (record === undefined) {
      if (fileid !== undefined) return { kind: "waiting", dueMs: undefined }; // its deletion goes on
      await this.#removeEntry(entry, signal);
      return { kind: "purged", entries: 0 };
    }
    if (!isOwnedBy(record.identity, owner)) return { kind: "foreign" };
    const isItsOwn = fileid === undefined || `${fileid}` === record.identity.directory.fileid;
    if (record.identity.nonce !== nonce || !isItsOwn) {
      await this.#moveBack(tree, record, fileid);
      return { kind: "waiting", dueMs: undefined };
    }
    // Without a deletion it is a claim that came to nothing: nobody ever saw its volume.
    const dueMs = record.deleted === undefined ? 0 : Date.parse(record.deleted.purgeAfter);
    if (dueMs > clock.nowMs()) return { kind: "waiting", dueMs };
    const pace = this.#options.entriesPerSecondMax;
    const options = pace === undefined ? { signal } : { signal, entriesPerSecondMax: pace };
    const { entries } = await share.removeTree(tree, options);
    await releasePath(this.#context, record); // where its deletion was cut off
    await removeParents(this.#context, record.identity.directory.path);
    await share.rename(recordAt, join(entry, purgedName));
    await this.#removeEntry(entry, signal);
    return { kind: "purged", entries };
  }

  /**
   * A deletion that was frozen before its rename, and killed right after it, took the tree of the volume that
   * has had the path since: that one's claim still names it.
   */
  async #moveBack(tree: SharePath, record: VolumeRecord, fileid: bigint | undefined): Promise<void> {
    const { share } = this.#context;
    const { path } = record.identity.directory;
    const current = await claimAt(share, path);
    const isTheirs = fileid !== undefined && `${fileid}` === current?.directory.fileid;
    if (!isTheirs || (await this.#fileid(path)) !== undefined) {
      throw new BerthError(
        "failed-precondition",
        `${share.name}: ${tree} is not the tree that the record beside it speaks of: look whose it is, and move it by hand`,
      );
    }
    await share.rename(tree, path);
    this.#log.warn(`a deletion that was cut off had taken the tree of volume ${current?.id}: it is back`, {
      share: share.name,
    });
  }

  /** What is left of an entry without a tree. A deletion may be about to move one in: then it stays. */
  async #removeEntry(entry: SharePath, signal: AbortSignal): Promise<void> {
    await this.#context.share.removeTree(join(entry, purgedName), { signal });
    await removeIfEmpty(this.#context.share, entry);
  }

  async #sweepStaging(signal: AbortSignal): Promise<number> {
    const { share } = this.#context;
    let swept = 0;
    for (const entry of await this.#list(stagingPath)) {
      signal.throwIfAborted();
      if (!(await this.#isAbandoned(entry))) continue;
      const path = join(stagingPath, entry.name);
      if (entry.name.endsWith(".json")) await reclaimFrom(share, path).catch(ignoreUnreadable);
      await share.removeTree(path, { signal });
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

  async #fileid(path: SharePath): Promise<bigint | undefined> {
    try {
      return (await this.#context.share.stat(path)).fileid;
    } catch (reason) {
      if (hasCode(reason, "storage-no-entry")) return undefined;
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

/** `<name>.<nonce>` is a tree for that volume, `<nonce>.json` and `.parent` are on their way; all else is not ours. */
function stagedOwner(fileName: string): { name: VolumeName | undefined; nonce: Nonce } | undefined {
  const dot = fileName.lastIndexOf(".");
  const [before, after] = [fileName.slice(0, dot), fileName.slice(dot + 1)];
  const isNamedAfterNonce = after === "json" || after === "parent";
  const nonce = nonceIn(isNamedAfterNonce ? before : after);
  if (nonce === undefined) return undefined;
  if (isNamedAfterNonce) return { name: undefined, nonce };
  try {
    return { name: parseVolumeName(before), nonce };
  } catch {
    return undefined; // somebody else's file
  }
}

/** What is half written is no claim. */
function ignoreUnreadable(reason: unknown): void {
  if (!hasCode(reason, "failed-precondition")) throw reason;
}

/** The sleep ends early when the reaper is asked to stop; the loop sees that itself. */
function ignoreAbort(): void {}
