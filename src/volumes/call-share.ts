import type { Call } from "../core/call.ts";
import { BerthError, hasCode } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type {
  AnySteps,
  Attributes,
  FileStat,
  Share,
  ShareEntry,
  Space,
  StepsOutcome,
  TreeOptions,
} from "../share/share.ts";
import type { SharePath } from "../share/share-path.ts";
import { isChange, outcomeOf } from "../share/steps.ts";

/** A step that has had no answer yet. */
interface Waiting {
  readonly beganMs: number;
  dueMs: number;
  readonly reject: (reason: unknown) => void;
}

/** What a step fails with that has changed nothing, or has left no more than a temporary file. */
const unchanged = ["storage-exists", "storage-no-entry", "storage-not-empty", "storage-read-only"] as const;

/** By when a step that begins now must have its answer, so that the caller has one by its deadline. */
function dueMsOf(beganMs: number, deadlineMs: number): number {
  const { silenceMsMax, silenceMsMin, answerMsMax } = limits;
  const leftMs = deadlineMs - answerMsMax - beganMs;
  return beganMs + Math.max(silenceMsMin, Math.min(silenceMsMax, leftMs));
}

/**
 * A share as one call sees it. As soon as a step has waited too long for its answer the call is over: that step
 * and every later one fails with `storage-unavailable`, so the caller learns what it waits for, and nothing of the
 * call goes on behind its back. A step whose answer is missing may still take effect, as one of a process that was
 * killed: the order of steps admits that. A server that is slow and answers is given all the time it takes.
 */
export class CallShare implements Share {
  readonly name: string;
  /** What the whole process shares. */
  readonly base: Share;
  readonly #call: Call;
  readonly #abort = new AbortController();
  /** The one that is due first comes first: who begins later is due later. */
  readonly #waiting = new Set<Waiting>();
  #deadlineMs: number;
  #timer: NodeJS.Timeout | undefined;
  /** How long the first that was given up had waited. */
  #silentMs: number | undefined;
  /** What the first of the steps that were given up could tell. */
  #known: string | undefined;
  #over: BerthError | undefined;
  #hasChanged = false;

  constructor(base: Share, call: Call) {
    this.name = base.name;
    this.base = base;
    this.#call = call;
    this.#deadlineMs = call.deadlineMs ?? Number.POSITIVE_INFINITY;
    if (call.signal.aborted) this.#hurry();
    else call.signal.addEventListener("abort", this.#hurry);
  }

  /** Whether a step has changed something, or may have. */
  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  stat(path: SharePath): Promise<FileStat> {
    return this.#wait((signal) => this.base.stat(path, signal));
  }

  async *list(path: SharePath): AsyncIterable<ShareEntry> {
    const entries = this.base.list(path, this.#abort.signal)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await this.#wait(() => entries.next());
        if (done === true) return;
        yield value;
      }
    } finally {
      if (this.#silentMs === undefined) await entries.return?.(); // else it may hang as well
    }
  }

  readFile(path: SharePath, bytesMax: number): Promise<Uint8Array> {
    return this.#wait((signal) => this.base.readFile(path, bytesMax, signal));
  }

  createFile(path: SharePath, content: Uint8Array): Promise<void> {
    return this.#step((signal) => this.base.createFile(path, content, signal));
  }

  link(existing: SharePath, created: SharePath): Promise<void> {
    return this.#step((signal) => this.base.link(existing, created, signal));
  }

  async inOrder<const Steps extends AnySteps>(steps: Steps): Promise<StepsOutcome<Steps>> {
    const waited = this.#wait(async (signal) => {
      const outcome = await this.base.inOrder(steps, signal);
      // What it can tell of the silence.
      if (this.#silentMs !== undefined && outcome.failure !== undefined) throw outcome.failure;
      return outcome;
    });
    const outcome = await waited.catch((reason: unknown) => outcomeOf<Steps>([], reason));
    const { done, failure } = outcome;
    const failed = steps[done];
    const mayHaveChanged = failed !== undefined && isChange(failed) && !hasCode(failure, ...unchanged);
    if (steps.slice(0, done).some(isChange) || mayHaveChanged) this.#hasChanged = true;
    return outcome;
  }

  makeDirectory(path: SharePath, mode: number): Promise<FileStat> {
    return this.#step((signal) => this.base.makeDirectory(path, mode, signal));
  }

  setAttributes(path: SharePath, attributes: Attributes): Promise<void> {
    return this.#step((signal) => this.base.setAttributes(path, attributes, signal));
  }

  rename(from: SharePath, to: SharePath): Promise<void> {
    return this.#step((signal) => this.base.rename(from, to, signal));
  }

  removeFile(path: SharePath): Promise<void> {
    return this.#step((signal) => this.base.removeFile(path, signal));
  }

  removeDirectory(path: SharePath): Promise<void> {
    return this.#step((signal) => this.base.removeDirectory(path, signal));
  }

  space(path: SharePath): Promise<Space> {
    return this.#wait((signal) => this.base.space(path, signal));
  }

  sync(): Promise<void> {
    return this.#wait(() => this.base.sync());
  }

  /** Long work is none of a call's: it keeps the time-outs of its own requests. */
  removeTree(path: SharePath, options?: TreeOptions): ReturnType<Share["removeTree"]> {
    this.#hasChanged = true;
    return this.base.removeTree(path, options);
  }

  usage(path: SharePath, options?: TreeOptions): ReturnType<Share["usage"]> {
    return this.base.usage(path, options);
  }

  /** Waits for what others have begun as long as for a step of its own. */
  await<T>(shared: Promise<T>): Promise<T> {
    this.#hasChanged = true; // as far as this call can tell
    return this.#wait(() => shared);
  }

  /** The call has ended. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#call.signal.removeEventListener("abort", this.#hurry);
  }

  /** A step that is to change something. */
  async #step<T>(begin: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      const result = await this.#wait(begin);
      this.#hasChanged = true;
      return result;
    } catch (reason) {
      this.#hasChanged ||= !hasCode(reason, ...unchanged);
      throw reason;
    }
  }

  #wait<T>(begin: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#over !== undefined) return Promise.reject(this.#over);
    return new Promise((resolve, reject) => {
      const beganMs = performance.now();
      const waiting: Waiting = { beganMs, dueMs: dueMsOf(beganMs, this.#deadlineMs), reject };
      this.#waiting.add(waiting);
      if (this.#silentMs !== undefined) return; // about to end
      this.#watch(waiting.dueMs);
      begin(this.#abort.signal).then(
        (value) => {
          this.#waiting.delete(waiting);
          resolve(value);
        },
        (reason: unknown) => {
          if (this.#silentMs === undefined) {
            this.#waiting.delete(waiting);
            reject(reason);
          } else this.#known ??= BerthError.from(reason).message;
        },
      );
    });
  }

  #watch(dueMs: number): void {
    this.#timer ??= setTimeout(this.#look, Math.max(0, Math.ceil(dueMs - performance.now()))).unref();
  }

  readonly #look = (): void => {
    this.#timer = undefined;
    const [first] = this.#waiting;
    if (first === undefined || this.#silentMs !== undefined) return;
    const nowMs = performance.now();
    if (first.dueMs > nowMs) {
      this.#watch(first.dueMs);
      return;
    }
    const silentMs = nowMs - first.beganMs;
    this.#silentMs = silentMs;
    this.#abort.abort(new BerthError("cancelled", "it took too long"));
    setImmediate(() => this.#end(silentMs)); // those that can tell more have told it by then
  };

  #end(silentMs: number): void {
    const seconds = Math.max(1, Math.round(silentMs / 1000));
    const known = this.#known ?? "it hangs, or the way to it is broken";
    const message = `${this.name}: no answer for ${seconds} s: ${known}; it is safe to try again`;
    this.#over = new BerthError("storage-unavailable", message);
    for (const { reject } of this.#waiting) reject(this.#over);
    this.#waiting.clear();
  }

  /** The caller has gone: nobody waits any more but whoever comes next. */
  readonly #hurry = (): void => {
    const nowMs = performance.now();
    this.#deadlineMs = Math.min(this.#deadlineMs, nowMs);
    for (const each of this.#waiting) each.dueMs = Math.min(each.dueMs, each.beganMs + limits.silenceMsMin);
    clearTimeout(this.#timer);
    this.#look();
  };
}

/** The share behind the one that a call sees. */
export function baseOf(share: Share): Share {
  return share instanceof CallShare ? share.base : share;
}

/** Waits for what the whole process shares, as long as the call that `share` belongs to may. */
export function awaitShared<T>(share: Share, shared: Promise<T>): Promise<T> {
  return share instanceof CallShare ? share.await(shared) : shared;
}
