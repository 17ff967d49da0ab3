import { BerthError, hasCode } from "../../core/errors.ts";

/** How far work on a tree has come. */
export interface TreeProgress {
  /** Entries done: files, directories, links and all else. */
  readonly entries: number;
  /** Their sizes (`FileAttributes.sizeBytes`) together; while a large file is copied, what there is of it. */
  readonly sizeBytes: bigint;
}

/** What all work on trees takes. */
export interface TreeOptions {
  /** Ends the work: no new request goes out, and it rejects with code `cancelled`. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TreeProgress) => void;
  /** At most so many entries a second; default without bound. */
  readonly entriesPerSecondMax?: number;
  /**
   * Called for what could not be done of one entry; the work goes on with the others. Without it the
   * first failure ends the work. What concerns all (no connection, no space, cancellation) always does.
   */
  readonly onFailure?: (failure: BerthError) => void;
  /** Where access is refused, try as the directory's owner, which a server with root_squash admits. */
  readonly actAsOwner?: boolean;
}

/** What work within one tree takes. */
export interface NamedTreeOptions extends TreeOptions {
  /** How errors name the tree, and begin to name what lies below. */
  readonly path?: string;
}

/** Decides whether a failure ends the work. */
export class Failures {
  readonly #onFailure: ((failure: BerthError) => void) | undefined;

  constructor(onFailure: ((failure: BerthError) => void) | undefined) {
    this.#onFailure = onFailure;
  }

  /** Tells of what could not be done. @throws BerthError it, when the work cannot go on */
  note(reason: unknown): void {
    const failure = BerthError.from(reason);
    if (this.#onFailure === undefined || concernsAll(failure)) throw failure;
    this.#onFailure(failure);
  }
}

function concernsAll(failure: BerthError): boolean {
  return hasCode(
    failure,
    "cancelled",
    "internal",
    "storage-unavailable",
    "storage-no-space",
    "storage-quota",
    "storage-read-only",
  );
}

/** Counts entries and tells of them. */
export class ProgressCounter implements TreeProgress {
  entries = 0;
  sizeBytes = 0n;
  readonly #onProgress: ((progress: TreeProgress) => void) | undefined;

  constructor(onProgress: ((progress: TreeProgress) => void) | undefined) {
    this.#onProgress = onProgress;
  }

  add(entries: number, sizeBytes: bigint): void {
    this.entries += entries;
    this.sizeBytes += sizeBytes;
    this.#onProgress?.({ entries: this.entries, sizeBytes: this.sizeBytes });
  }
}
