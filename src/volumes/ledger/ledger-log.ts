import { BerthError, hasCode } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { Nonce } from "../../core/nonce.ts";
import { join, type SharePath } from "../../share/share-path.ts";
import { absent, isThere } from "../catalog.ts";
import { forget, outcomeOfClaim } from "../claim.ts";
import type { ShareContext } from "../context.ts";
import { stagedFilePath } from "../layout.ts";
import {
  checkpointAfter,
  decodeEntry,
  decodeState,
  encodeEntry,
  encodeState,
  entryPath,
  isCheckpoint,
  type LedgerEntry,
  ledgerFile,
  ledgerPath,
  stateBytesMax,
  stateFile,
} from "./ledger-files.ts";
import { type Change, LedgerState, type Promised } from "./ledger-state.ts";

const attemptsMax = 16;
const removalsInFlightMax = 32;

/**
 * The ledger of a share: numbered entries, each linked to its number exclusively, so that all processes see
 * them in one order. Whoever appends entry n has read all before it, so it decides on the exact state.
 *
 * Every `checkpointEvery`-th entry is a checkpoint: it names a file with the whole state. What is older may
 * then be removed, but for checkpoints themselves, which stay: a name that was used must never be free
 * again, or a process that slept might take it and go on from a state of long ago. It can take the name of a
 * removed entry; but entries are removed only when the next checkpoint is there. So whoever has linked an
 * entry looks for that checkpoint: if it is not there, none of the entries so far had been removed, and the
 * new one is the last. If it is there, the entry may count or not, and the state is read anew.
 * The same look tells whether a number that nobody has is the end or a gap.
 */
export class LedgerLog {
  readonly #context: ShareContext;
  readonly #begin: () => Promise<readonly Promised[]>;
  #state: LedgerState | undefined;
  /** The number after the last entry that was read. */
  #next = 0;

  /** @param begin what the first entry of all says */
  constructor(context: ShareContext, begin: () => Promise<readonly Promised[]>) {
    this.#context = context;
    this.#begin = begin;
  }

  /** The state after every entry that had been appended when this was called. */
  async read(): Promise<LedgerState> {
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      const state = this.#state ?? (await this.#load());
      if (state === undefined) continue;
      if (await this.#readOn(state)) return this.#state ?? state;
      this.#state = undefined;
    }
    throw this.#busy();
  }

  /** The state as it was last seen. */
  async recent(): Promise<LedgerState> {
    return this.#state ?? (await this.read());
  }

  /** @returns false when others have appended in the meantime: nothing is decided, look again */
  async append(changes: readonly Change[]): Promise<boolean> {
    const state = await this.recent();
    const { share, newNonce } = this.#context;
    const [number, nonce] = [this.#next, newNonce()];
    const file = isCheckpoint(number) ? stateFile(number, nonce) : undefined;
    if (file !== undefined)
      await share.createFile(join(ledgerPath, file), encodeState(state.trial(changes).all()));
    const entry = await this.#link(number, nonce, encodeEntry(nonce, changes, file));
    if (entry === "taken") {
      await this.read();
      return false;
    }
    if (entry === "late") {
      this.#state = undefined;
      return false;
    }
    state.apply(changes);
    this.#next = number + 1;
    if (file !== undefined) await this.#clean(number, await this.#names());
    return true;
  }

  /** @returns "late" for an entry that may have taken the name of one that was removed */
  async #link(number: number, nonce: Nonce, content: Uint8Array): Promise<"appended" | "taken" | "late"> {
    const { share } = this.#context;
    const temporary = stagedFilePath(nonce);
    const path = entryPath(number);
    // The look has to come after the link.
    const { done, failure } = await share.inOrder([
      { kind: "createFile", path: temporary, content },
      { kind: "link", existing: temporary, created: path },
      { kind: "removeFile", path: temporary },
      { kind: "stat", path: entryPath(checkpointAfter(number)) },
    ]);
    if (done < 3) await forget(share, temporary);
    if (done < 2 && (await outcomeOfClaim(share, path, content, failure)) === "taken") return "taken";
    const isSeen = done === 4 || (done === 3 && hasCode(failure, ...absent));
    const isLate = isSeen ? done === 4 && !isCheckpoint(number) : await this.#isOvertaken(number);
    return isLate ? "late" : "appended";
  }

  /** @returns false when the end was not reached: what is known here is of long ago */
  async #readOn(state: LedgerState): Promise<boolean> {
    for (;;) {
      const entry = await this.#entry(this.#next);
      if (entry === undefined) return !(await this.#isOvertaken(this.#next));
      if (entry.state !== undefined) return false; // it alone is sure to count, and it tells everything
      state.apply(entry.changes);
      this.#next += 1;
    }
  }

  /** Whether the checkpoint after an entry is there. */
  async #isOvertaken(number: number): Promise<boolean> {
    return !isCheckpoint(number) && (await isThere(this.#context.share, entryPath(checkpointAfter(number))));
  }

  /** From the last checkpoint. @returns undefined when others are at it: look again */
  async #load(): Promise<LedgerState | undefined> {
    const names = await this.#names();
    const checkpoints = names.flatMap((name) => {
      const file = ledgerFile(name);
      return file?.kind === "entry" && isCheckpoint(file.number) ? [file.number] : [];
    });
    if (checkpoints.length === 0) return await this.#first();
    const last = Math.max(...checkpoints);
    const entry = await this.#entry(last);
    const content =
      entry?.state === undefined ? undefined : await this.#read(join(ledgerPath, entry.state), stateBytesMax);
    if (content === undefined) return undefined; // a later checkpoint is there by now
    const state = LedgerState.of(decodeState(content, entryPath(last)));
    this.#state = state;
    this.#next = last + 1;
    await this.#clean(last, names);
    return state;
  }

  async #first(): Promise<undefined> {
    const { share, newNonce } = this.#context;
    const nonce = newNonce();
    const file = stateFile(0, nonce);
    await share.createFile(join(ledgerPath, file), encodeState(await this.#begin()));
    await this.#link(0, nonce, encodeEntry(nonce, [], file));
  }

  async #entry(number: number): Promise<LedgerEntry | undefined> {
    const path = entryPath(number);
    const content = await this.#read(path, limits.recordBytesMax);
    return content === undefined ? undefined : decodeEntry(content, path);
  }

  async #read(path: SharePath, bytesMax: number): Promise<Uint8Array | undefined> {
    try {
      return await this.#context.share.readFile(path, bytesMax);
    } catch (reason) {
      if (hasCode(reason, "storage-no-entry")) return undefined;
      throw reason;
    }
  }

  async #names(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.#context.share.list(ledgerPath)) names.push(name);
    return names;
  }

  /** Removes what the checkpoint has made superfluous. Whatever is missed, the next one removes. */
  async #clean(checkpoint: number, names: readonly string[]): Promise<void> {
    const superfluous = names.filter((name) => {
      const file = ledgerFile(name);
      if (file === undefined || file.number >= checkpoint) return false;
      return file.kind === "state" || !isCheckpoint(file.number);
    });
    for (let start = 0; start < superfluous.length; start += removalsInFlightMax) {
      const some = superfluous.slice(start, start + removalsInFlightMax);
      await Promise.all(some.map((name) => this.#remove(join(ledgerPath, name))));
    }
  }

  async #remove(path: SharePath): Promise<void> {
    try {
      await this.#context.share.removeFile(path);
    } catch (reason) {
      if (!(reason instanceof BerthError)) throw reason;
    }
  }

  #busy(): BerthError {
    return new BerthError(
      "aborted",
      `${this.#context.share.name}: the ledger of promised sizes keeps changing while it is read: retry`,
    );
  }
}
