import { BerthError } from "../../core/errors.ts";
import { NextRun } from "../../core/next-run.ts";
import type { Nonce } from "../../core/nonce.ts";
import type { Share } from "../../share/share.ts";
import { shareRoot } from "../../share/share-path.ts";
import { baseOf } from "../call-share.ts";
import { isThere } from "../catalog.ts";
import type { ShareContext } from "../context.ts";
import { ledgerPath } from "./ledger-files.ts";
import { LedgerLog } from "./ledger-log.ts";
import type { Change, Decision, PromiseRequest } from "./ledger-state.ts";
import { gone, promisesOfRecords, settledGrowth } from "./truth.ts";

/** Changes in one entry: far below what a record may hold. */
const changesPerEntryMax = 256;
const attemptsMax = 64;
const capacityAgeMsMax = 5_000;

interface Waiting {
  readonly request: PromiseRequest;
  readonly resolve: (decision: Decision) => void;
  readonly reject: (reason: unknown) => void;
}

const ledgers = new WeakMap<Share, Ledger>();

/**
 * What is promised to the volumes of a share: the sum of their sizes, from creation until the trash has
 * forgotten them. It is kept as soon as somebody once asks for a limit, and then for every volume.
 *
 * The order of steps makes it right, whoever is killed wherever:
 *
 * 1. A creation first claims the volume's name (its record names a nonce), then asks the ledger for that
 *    nonce, then puts the directory into place and answers. So what was answered stands in the ledger, and what
 *    stands there has, or had, a record.
 * 2. The ledger's entries have one order. Each says yes or no on the exact sum of those before it. So the
 *    promises never exceed the limit that was asked for, and a no was true when it was given. A no stands in
 *    the ledger too: another process that goes on with the same claim finds it, and does not say yes later,
 *    when there is room and this one has taken the claim back already.
 * 3. A promise ends when its volume has neither a record nor an entry in the trash. Nothing has to tell the
 *    ledger: it is seen (`releaseGone`), so no crash can lose it. Records do not come back, so that is final.
 *
 * When the ledger begins, its directory is made first and then all records are read. A creation looks for
 * the directory after its claim: so either it finds it, or its record is among those that are read.
 */
export class Ledger {
  readonly #context: ShareContext;
  readonly #log: LedgerLog;
  #waiting: Waiting[] = [];
  readonly #looks = new NextRun(() => isThere(this.#context.share, ledgerPath));
  #turn: Promise<unknown> = Promise.resolve();
  #flushing = false;
  #isKept = false;
  #capacity: { readonly totalBytes: bigint; readonly atMs: number } | undefined;

  private constructor(context: ShareContext) {
    this.#context = context;
    this.#log = new LedgerLog(context, () => promisesOfRecords(context));
  }

  /** One for each share in a process: creation, growth and reaper share what is known of it. */
  static of(context: ShareContext): Ledger {
    const share = baseOf(context.share);
    const known = ledgers.get(share);
    if (known !== undefined) return known;
    const ledger = new Ledger({ ...context, share });
    ledgers.set(share, ledger);
    return ledger;
  }

  /** Asks for a volume whose record is there. All who ask at the same time share an entry. */
  async promise(request: PromiseRequest): Promise<Decision> {
    if (!(await this.#kept())) {
      if (request.limitBytes === undefined) return { kind: "admitted" };
      await this.#keep();
    }
    const { promise, resolve, reject } = Promise.withResolvers<Decision>();
    this.#waiting.push({ request, resolve, reject });
    if (!this.#flushing) {
      this.#flushing = true;
      void this.#inTurn(() => this.#flush());
    }
    return await promise;
  }

  /** The sum of all promises; where no ledger is kept, as the records tell. */
  async promisedBytes(): Promise<bigint> {
    if (!(await this.#kept())) {
      return (await promisesOfRecords(this.#context)).reduce((sum, { bytes }) => sum + bytes, 0n);
    }
    return await this.#inTurn(async () => (await this.#log.read()).sumBytes);
  }

  /** The capacity of the share: of the last seconds, since it hardly ever changes. */
  async totalBytes(signal?: AbortSignal): Promise<bigint> {
    const { share, clock } = this.#context;
    if (this.#capacity !== undefined && clock.nowMs() - this.#capacity.atMs < capacityAgeMsMax)
      return this.#capacity.totalBytes;
    const { totalBytes } = await share.space(shareRoot, signal);
    this.#capacity = { totalBytes, atMs: clock.nowMs() };
    return totalBytes;
  }

  /**
   * Takes back the promises of volumes that are gone, and of growth that never came to be.
   * @param graceMs how old growth is before nobody can still be at it
   * @returns how many
   */
  async releaseGone(graceMs: number): Promise<number> {
    if (!(await this.#kept())) return 0;
    const all = (await this.#inTurn(() => this.#log.read())).all();
    const released = await gone(this.#context, all);
    const settled = await settledGrowth(this.#context, all, graceMs);
    const changes: Change[] = [
      ...released.map((nonce): Change => ({ kind: "released", nonce })),
      ...settled.map((promised): Change => ({ kind: "set", promised })),
    ];
    for (let start = 0; start < changes.length; start += changesPerEntryMax) {
      await this.#inTurn(() => this.#correct(changes.slice(start, start + changesPerEntryMax)));
    }
    return changes.length;
  }

  async #correct(changes: readonly Change[]): Promise<void> {
    const before = await this.#log.read();
    const seen = new Map(changes.map((change) => [nonceOf(change), before.get(nonceOf(change))]));
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      const state = await this.#log.read();
      // Only what is still as it was: somebody may have gone on growing in the meantime.
      const still = changes.filter((change) => {
        const has = state.get(nonceOf(change));
        return (
          has !== undefined &&
          (change.kind === "released" || has.sinceMs === seen.get(nonceOf(change))?.sinceMs)
        );
      });
      if (still.length === 0 || (await this.#log.append(still))) return;
    }
    throw this.#contended();
  }

  async #flush(): Promise<void> {
    for (;;) {
      const batch = this.#waiting.splice(0, changesPerEntryMax);
      if (batch.length === 0) {
        this.#flushing = false;
        return;
      }
      try {
        const decisions = await this.#decide(batch.map(({ request }) => request));
        for (const [index, { resolve, reject }] of batch.entries()) {
          const decision = decisions[index];
          if (decision === undefined) reject(this.#contended());
          else resolve(decision);
        }
      } catch (reason) {
        for (const { reject } of batch) reject(reason);
      }
    }
  }

  /** In order, each on what those before it have left. */
  async #decide(requests: readonly PromiseRequest[]): Promise<Decision[]> {
    const nowMs = this.#context.clock.nowMs();
    // What was last seen is most often the end; only a decision without an entry needs a look.
    let state = await this.#log.recent();
    let isCurrent = false;
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      const trial = state.trial();
      const changes: Change[] = [];
      const decisions = requests.map((request) => {
        const decided = trial.decide(request, nowMs);
        trial.apply(decided.changes);
        changes.push(...decided.changes);
        return decided.decision;
      });
      if (changes.length === 0 && isCurrent) return decisions;
      if (changes.length > 0 && (await this.#log.append(changes))) return decisions;
      state = await this.#log.read();
      isCurrent = true;
    }
    throw this.#contended();
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {}); // whoever waits for `mine` hears of it
    return await mine;
  }

  /** Once there it stays; until then every creation has to look. */
  async #kept(): Promise<boolean> {
    this.#isKept ||= await this.#looks.run();
    return this.#isKept;
  }

  async #keep(): Promise<void> {
    try {
      await this.#context.share.makeDirectory(ledgerPath, 0o700);
    } catch (reason) {
      if (!(await this.#kept())) throw reason;
    }
    this.#isKept = true;
  }

  #contended(): BerthError {
    return new BerthError(
      "aborted",
      `${this.#context.share.name}: many processes reserve space at the same time: retry`,
    );
  }
}

function nonceOf(change: Change): Nonce {
  return change.kind === "set" ? change.promised.nonce : change.nonce;
}
