import type { Nonce } from "../../core/nonce.ts";
import type { VolumeName } from "../../core/volume-id.ts";

/**
 * What the ledger knows of one volume, by the nonce of its record:
 * - `adopted`: it was there when the ledger began, perhaps not yet admitted;
 * - `promised`: it has been admitted;
 * - `growing`: promised a size that its record may not say yet, and perhaps never will;
 * - `refused`: it did not fit. Whoever is still creating it finds that here, and gives up.
 */
export type Standing = "adopted" | "promised" | "growing" | "refused";

export interface Promised {
  readonly nonce: Nonce;
  readonly name: VolumeName;
  readonly bytes: bigint;
  readonly standing: Standing;
  /** When it came to be so, ms since the epoch. */
  readonly sinceMs: number;
}

/** One volume's new standing; `released` is forgotten. Applied twice it does what it does once. */
export type Change =
  | { readonly kind: "set"; readonly promised: Promised }
  | { readonly kind: "released"; readonly nonce: Nonce };

/** What is asked of the ledger for one volume. */
export interface PromiseRequest {
  readonly nonce: Nonce;
  readonly name: VolumeName;
  readonly bytes: bigint;
  /** `create`: a refusal is final for this nonce. `grow`: before the record says so. `grown`: after. */
  readonly purpose: "create" | "grow" | "grown";
  /** What may be promised in all; undefined: anything. */
  readonly limitBytes: bigint | undefined;
}

export type Decision =
  | { readonly kind: "admitted" }
  /** @property promisedBytes to all other volumes, and to this one so far */
  | { readonly kind: "refused"; readonly promisedBytes: bigint };

/** The sum of all promises, after the changes so far. */
export class LedgerState {
  readonly #base: LedgerState | undefined;
  /** Beside those of the base; undefined: released since. */
  readonly #known = new Map<Nonce, Promised | undefined>();
  #sumBytes: bigint;

  private constructor(base?: LedgerState) {
    this.#base = base;
    this.#sumBytes = base?.sumBytes ?? 0n;
  }

  static of(promised: Iterable<Promised>): LedgerState {
    const state = new LedgerState();
    for (const each of promised) state.#set(each);
    return state;
  }

  get sumBytes(): bigint {
    return this.#sumBytes;
  }

  all(): readonly Promised[] {
    const all = new Map(this.#base?.all().map((each) => [each.nonce, each]));
    for (const [nonce, promised] of this.#known) {
      if (promised === undefined) all.delete(nonce);
      else all.set(nonce, promised);
    }
    return [...all.values()];
  }

  get(nonce: Nonce): Promised | undefined {
    return this.#known.has(nonce) ? this.#known.get(nonce) : this.#base?.get(nonce);
  }

  apply(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind === "set") this.#set(change.promised);
      else this.#forget(change.nonce);
    }
  }

  /** What would hold after changes that are not certain yet. */
  trial(changes: readonly Change[] = []): LedgerState {
    const next = new LedgerState(this);
    next.apply(changes);
    return next;
  }

  /** Whether what is asked fits, and what that changes; nothing is changed yet. */
  decide(request: PromiseRequest, nowMs: number): { decision: Decision; changes: readonly Change[] } {
    const { nonce, name, bytes, purpose, limitBytes } = request;
    const has = this.get(nonce);
    const hasBytes = has?.bytes ?? 0n;
    const set = (standing: Standing, to: bigint): Change[] => [
      { kind: "set", promised: { nonce, name, bytes: to, standing, sinceMs: nowMs } },
    ];
    if (has?.standing === "refused") return { decision: this.#refused(), changes: [] };
    if (has !== undefined && has.standing !== "adopted" && has.bytes >= bytes) {
      const settles = has.standing === "growing" && purpose === "grown" && has.bytes === bytes;
      return { decision: { kind: "admitted" }, changes: settles ? set("promised", bytes) : [] };
    }
    if (limitBytes === undefined || this.#sumBytes - hasBytes + bytes <= limitBytes) {
      return {
        decision: { kind: "admitted" },
        changes: set(purpose === "grow" ? "growing" : "promised", bytes),
      };
    }
    return { decision: this.#refused(), changes: purpose === "create" ? set("refused", 0n) : [] };
  }

  #refused(): Decision {
    return { kind: "refused", promisedBytes: this.#sumBytes };
  }

  #set(promised: Promised): void {
    this.#forget(promised.nonce);
    this.#known.set(promised.nonce, promised);
    this.#sumBytes += promised.bytes;
  }

  #forget(nonce: Nonce): void {
    this.#sumBytes -= this.get(nonce)?.bytes ?? 0n;
    if (this.#base === undefined) this.#known.delete(nonce);
    else this.#known.set(nonce, undefined);
  }
}
