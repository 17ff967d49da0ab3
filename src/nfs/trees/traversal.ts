import { BerthError, hasCode } from "../../core/errors.ts";
import type { EntryDetail, NfsClient, OperationOptions } from "../client.ts";
import type { DirectoryEntry, DirectoryPage, DirectoryPosition, FileName, FileNode } from "../file.ts";
import { asOwner } from "./as-owner.ts";
import { treeLimits } from "./limits.ts";
import { RateLimit } from "./rate-limit.ts";
import { type BriefEntry, TreeDirectory, type TreeEntry } from "./tree-directory.ts";
import { Failures, type TreeOptions } from "./tree-options.ts";

/** What one kind of work does at each point of a tree. Failures of single entries it notes itself. */
export interface Visitor<T, Entry extends BriefEntry = TreeEntry> {
  /** Every entry of the tree comes here once, in parts of directories, directories included. */
  page(directory: TreeDirectory<T>, entries: readonly Entry[]): Promise<void>;
  /** Before a directory is read. @returns what is kept with it; undefined: it is left out */
  enter(parent: TreeDirectory<T>, entry: TreeEntry): Promise<{ readonly data: T } | undefined>;
  /** A directory on another file system: it is not entered. */
  boundary(parent: TreeDirectory<T>, entry: BriefEntry): void;
  /** After all below a directory is done, the first one included. @returns whether to read it once more */
  leave(directory: TreeDirectory<T>): Promise<"done" | "again">;
}

type Step<T> =
  | { readonly kind: "read"; readonly directory: TreeDirectory<T>; readonly pages: Pages }
  | { readonly kind: "enter"; readonly parent: TreeDirectory<T>; readonly entry: TreeEntry }
  /** The directories of a page that was forgotten, from the `index`th on. */
  | {
      readonly kind: "return";
      readonly parent: TreeDirectory<T>;
      readonly from: From;
      readonly index: number;
    };

type From = DirectoryPosition | undefined;

/** How much is read and worked on at once; see `treeLimits`. */
export interface TraversalBounds {
  readonly stepsInFlightMax: number;
  readonly entriesInHandMax: number;
}

/** A directory on its way from page to page. */
interface Pages {
  readonly iterator: AsyncIterator<DirectoryPage>;
  /** Where the next page begins. */
  readonly from: From;
}

/**
 * Goes through a tree with many requests in flight, deepest directories first. What waits is a stack, and
 * each page is worked on before the next of its directory is asked for, so the stack holds at most one page's
 * directories for each level of depth, and no more than `directoriesWaitingMax` whatever the tree: beyond it a
 * page's directories are forgotten and read again one by one. (Where such a directory changes
 * meanwhile, entries may be missed or come twice.)
 */
export class Traversal<T, Entry extends BriefEntry = TreeEntry> {
  readonly failures: Failures;
  readonly signal: AbortSignal;
  readonly #client: NfsClient;
  readonly #visitor: Visitor<T, Entry>;
  readonly #listing: Listing<Entry>;
  readonly #options: TreeOptions;
  readonly #abort = new AbortController();
  readonly #rate: RateLimit;
  readonly #steps: Step<T>[] = [];
  readonly #stepsInFlightMax: number;
  readonly #entriesInHandMax: number;
  #stepsInFlight = 0;
  #pagesInFlight = 0;
  #entriesInHand = 0;
  /** What a page is likely to bring: the mean of the last ones, and much at first, when nothing is known. */
  #entriesExpected = 512;
  #fsid = 0n;
  #failure: { readonly reason: unknown } | undefined;
  readonly #ended = Promise.withResolvers<void>();

  constructor(
    client: NfsClient,
    visitor: Visitor<T, Entry>,
    listing: Listing<Entry>,
    options: TreeOptions,
    bounds: TraversalBounds = treeLimits,
  ) {
    this.#client = client;
    this.#visitor = visitor;
    this.#listing = listing;
    this.#options = options;
    this.failures = new Failures(options.onFailure);
    this.signal =
      options.signal === undefined
        ? this.#abort.signal
        : AbortSignal.any([options.signal, this.#abort.signal]);
    this.#rate = new RateLimit(options.entriesPerSecondMax);
    this.#stepsInFlightMax = Math.min(bounds.stepsInFlightMax, client.features.callsInFlightMax);
    this.#entriesInHandMax = bounds.entriesInHandMax;
  }

  /**
   * @param path how errors name the tree
   * @throws BerthError the first failure that ends the work, when all requests in flight have ended
   */
  async run(root: FileNode, data: T, path = ""): Promise<void> {
    this.#fsid = root.attributes.fsid;
    this.#read(new TreeDirectory(root, data, path));
    this.#pump();
    try {
      await this.#ended.promise;
    } catch (error) {
      if (this.#options.signal?.aborted !== true) throw error;
      throw new BerthError("cancelled", `${this.#client.name}: the work on the tree was cancelled`, {
        cause: error,
      });
    }
  }

  /** Ends it from within; `run` rejects with the reason. */
  stop(reason: unknown): void {
    this.#fail(reason);
    this.#pump();
  }

  /** For an operation on something in the tree; the top may have no path. */
  options({ path }: { readonly path: string }): OperationOptions {
    return { ...(path === "" ? {} : { path }), signal: this.signal };
  }

  /** In a directory, as its owner if need be and allowed. */
  async within<R>(
    directory: TreeDirectory<T>,
    path: string,
    operation: (options: OperationOptions) => Promise<R>,
  ): Promise<R> {
    const options = this.options({ path });
    if (this.#options.actAsOwner === true) return await asOwner(this.#client, directory, options, operation);
    return await operation(options);
  }

  #read(directory: TreeDirectory<T>): void {
    const iterator = this.#pagesOf(directory, undefined);
    this.#steps.push({ kind: "read", directory, pages: { iterator, from: undefined } });
  }

  async *#pagesOf(directory: TreeDirectory<T>, from: From): AsyncGenerator<DirectoryPage> {
    const start = from === undefined ? {} : { from };
    // Access shows with the first page; the generator of another user's attempt is of no use any more.
    const [first, rest] = await this.within(directory, directory.path, async (options) => {
      const { detail } = this.#listing;
      const pages = this.#client.readdir(directory.handle, { ...options, ...start, detail });
      const iterator = pages[Symbol.asyncIterator]();
      return [await iterator.next(), iterator];
    });
    for (let page = first; page.done !== true; page = await rest.next()) yield page.value;
  }

  #pump(): void {
    while (this.#mayStart()) {
      const step = this.#steps.pop();
      if (step !== undefined) void this.#run(step);
    }
    if (this.#stepsInFlight > 0) return;
    if (this.#failure !== undefined) this.#ended.reject(this.#failure.reason);
    else if (this.#steps.length === 0) this.#ended.resolve();
  }

  #mayStart(): boolean {
    if (this.#failure !== undefined || this.#steps.length === 0) return false;
    if (this.#stepsInFlight === 0) return true;
    const expected = this.#entriesInHand + (this.#pagesInFlight + 1) * this.#entriesExpected;
    return this.#stepsInFlight < this.#stepsInFlightMax && expected <= this.#entriesInHandMax;
  }

  async #run(step: Step<T>): Promise<void> {
    this.#stepsInFlight++;
    try {
      this.signal.throwIfAborted();
      await this.#take(step);
    } catch (reason) {
      this.#fail(reason);
    }
    this.#stepsInFlight--;
    this.#pump();
  }

  #fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#abort.abort(reason);
  }

  async #take(step: Step<T>): Promise<void> {
    switch (step.kind) {
      case "read":
        return await this.#takePage(step.directory, step.pages);
      case "enter":
        return await this.#enter(step.parent, step.entry);
      case "return":
        return await this.#returnTo(step.parent, step.from, step.index);
    }
  }

  async #enter(parent: TreeDirectory<T>, entry: TreeEntry): Promise<void> {
    const entered = await this.#visitor.enter(parent, entry);
    if (entered === undefined) return await this.#finish(parent);
    this.#read(new TreeDirectory(entry, entered.data, entry.name, parent));
  }

  async #takePage(directory: TreeDirectory<T>, { iterator, from }: Pages): Promise<void> {
    const page = await this.#nextPage(directory, iterator);
    if (page?.next !== undefined) {
      directory.unfinished++;
      this.#steps.push({ kind: "read", directory, pages: { iterator, from: page.next } });
    }
    if (page !== undefined) await this.#workOn(directory, page, from);
    await this.#finish(directory);
  }

  async #nextPage(directory: TreeDirectory<T>, pages: AsyncIterator<DirectoryPage>) {
    this.#pagesInFlight++;
    try {
      const next = await pages.next();
      if (next.done === true) return undefined;
      this.#entriesExpected += (next.value.entries.length - this.#entriesExpected) / 8;
      return next.value;
    } catch (error) {
      if (isGone(error)) return undefined; // removed by somebody else: nothing is left to do in it
      directory.failed = true;
      this.failures.note(error);
      return undefined;
    } finally {
      this.#pagesInFlight--;
    }
  }

  async #workOn(directory: TreeDirectory<T>, page: DirectoryPage, from: From): Promise<void> {
    const listed = takeEntries(page);
    this.#entriesInHand += listed.length;
    try {
      const entries = await this.#complete(directory, listed);
      const directories = this.#directoriesToEnter(directory, entries, true);
      // Those below wait before the work on this page, so that reading goes on during it.
      this.#defer(directory, directories, from);
      this.#pump();
      for (const part of this.#rate.parts(entries)) {
        await this.#rate.pass(part.length, this.signal);
        await this.#visitor.page(directory, part);
      }
    } finally {
      this.#entriesInHand -= listed.length;
    }
  }

  #defer(directory: TreeDirectory<T>, directories: readonly TreeEntry[], from: From): void {
    if (directories.length === 0) return;
    if (this.#steps.length + directories.length > treeLimits.directoriesWaitingMax) {
      directory.unfinished++;
      this.#steps.push({ kind: "return", parent: directory, from, index: 0 });
      return;
    }
    directory.unfinished += directories.length;
    for (const entry of directories.toReversed())
      this.#steps.push({ kind: "enter", parent: directory, entry });
  }

  async #returnTo(parent: TreeDirectory<T>, from: From, index: number): Promise<void> {
    const page = await this.#nextPage(parent, this.#pagesOf(parent, from));
    const entries = await this.#complete(parent, page === undefined ? [] : takeEntries(page));
    const entry = this.#directoriesToEnter(parent, entries, false)[index];
    if (entry === undefined) return await this.#finish(parent);
    parent.unfinished++;
    this.#steps.push({ kind: "return", parent, from, index: index + 1 });
    await this.#enter(parent, entry);
  }

  #directoriesToEnter(
    directory: TreeDirectory<T>,
    entries: readonly Entry[],
    tell: boolean,
  ): readonly TreeEntry[] {
    return entries.filter((entry): entry is Entry & TreeEntry => {
      if (entry.attributes.type !== "directory" || entry.handle === undefined) return false;
      if (entry.attributes.fsid === this.#fsid) return true;
      if (tell) this.#visitor.boundary(directory, entry);
      return false;
    });
  }

  /** With attributes and handles, also where the server left them out. */
  async #complete(
    directory: TreeDirectory<T>,
    entries: readonly DirectoryEntry[],
  ): Promise<readonly Entry[]> {
    const { isComplete } = this.#listing;
    if (entries.every(isComplete)) return entries;
    const lookups = entries.map(async (entry) =>
      isComplete(entry) ? entry : await this.#lookUp(directory, entry.name),
    );
    return (await Promise.all(lookups)).filter((entry) => entry !== undefined);
  }

  async #lookUp(directory: TreeDirectory<T>, name: FileName): Promise<Entry | undefined> {
    try {
      const node = await this.within(directory, directory.pathOf(name), (options) =>
        this.#client.lookup(directory.handle, name, options),
      );
      const entry = { name, fileid: node.attributes.fileid, ...node };
      return this.#listing.isComplete(entry) ? entry : undefined;
    } catch (error) {
      if (isGone(error)) return undefined;
      directory.failed = true;
      this.failures.note(error);
      return undefined;
    }
  }

  /** One part of a directory is done: with the last one the directory is, and so a part of its parent. */
  async #finish(directory: TreeDirectory<T>): Promise<void> {
    let each: TreeDirectory<T> | undefined = directory;
    while (each !== undefined) {
      each.unfinished--;
      if (each.unfinished > 0) return;
      if ((await this.#visitor.leave(each)) === "again") {
        each.unfinished = 1;
        this.#read(each);
        return;
      }
      if (each.failed && each.parent !== undefined) each.parent.failed = true;
      each = each.parent;
    }
  }
}

/**
 * The promises that a page came through are often old when it comes, and V8 keeps what old objects refer to until it
 * collects everything, though nobody needs them any more. So they are left an empty page.
 */
function takeEntries(page: DirectoryPage): readonly DirectoryEntry[] {
  return page.entries.splice(0);
}

/** What a visitor needs to know of entries. */
interface Listing<Entry extends BriefEntry> {
  readonly detail: EntryDetail;
  isComplete(this: void, entry: DirectoryEntry): entry is DirectoryEntry & Entry;
}

/** Handles too. */
export const inFull: Listing<TreeEntry> = {
  detail: "all",
  isComplete: (entry): entry is DirectoryEntry & TreeEntry =>
    entry.attributes !== undefined && entry.handle !== undefined,
};

/** Handles of directories only. */
export const inBrief: Listing<BriefEntry> = {
  detail: "brief",
  isComplete: (entry): entry is DirectoryEntry & BriefEntry =>
    entry.attributes !== undefined && (entry.handle !== undefined || entry.attributes.type !== "directory"),
};

/** Whether somebody else has removed it. */
export function isGone(reason: unknown): boolean {
  return hasCode(reason, "storage-no-entry", "storage-stale");
}
