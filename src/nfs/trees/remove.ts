import { BerthError, hasCode } from "../../core/errors.ts";
import type { NfsClient } from "../client.ts";
import type { FileHandle, FileName } from "../file.ts";
import { treeLimits } from "./limits.ts";
import { inBrief, isGone, Traversal, type Visitor } from "./traversal.ts";
import { type BriefEntry, nameText, sizeOf, TreeDirectory } from "./tree-directory.ts";
import {
  type NamedTreeOptions,
  ProgressCounter,
  type TreeOptions,
  type TreeProgress,
} from "./tree-options.ts";

/**
 * Removes what a name stands for: a file, a link, or a directory with all below it. Every removal is by
 * directory handle and name, so renaming something on the way cannot lead it elsewhere. What is gone
 * already is no failure; cut short, it can be run again. Errors call the tree by its name unless told otherwise.
 * @returns what it removed
 * @throws BerthError `storage-busy` at a directory on another file system
 */
export async function removeTree(
  client: NfsClient,
  directory: FileHandle,
  name: FileName,
  { path = nameText(name), ...options }: NamedTreeOptions = {},
): Promise<TreeProgress> {
  const removal = new Removal(client, options);
  await removal.run(directory, name, path);
  return { entries: removal.progress.entries, sizeBytes: removal.progress.sizeBytes };
}

/** What one directory has lost since it was read from its start. */
interface Round {
  removed: number;
}

class Removal implements Visitor<Round, BriefEntry> {
  readonly progress: ProgressCounter;
  readonly #client: NfsClient;
  readonly #traversal: Traversal<Round, BriefEntry>;
  /** The directory that holds the tree, and the tree's name in it. */
  #top: { readonly holder: TreeDirectory<Round>; readonly name: FileName } | undefined;

  constructor(client: NfsClient, options: TreeOptions) {
    this.#client = client;
    this.progress = new ProgressCounter(options.onProgress);
    this.#traversal = new Traversal(client, this, inBrief, options);
  }

  async run(directory: FileHandle, name: FileName, path: string): Promise<void> {
    const options = this.#traversal.options({ path });
    // First: to a handle that is stale no tree is there, which does not say that it is gone.
    const attributes = await this.#client.getattr(directory, options);
    const node = await unlessGone(this.#client.lookup(directory, name, options));
    if (node === undefined) return;
    const holder = new TreeDirectory<Round>({ handle: directory, attributes }, { removed: 0 });
    this.#top = { holder, name };
    if (node.attributes.type === "directory") await this.#traversal.run(node, { removed: 0 }, path);
    else await this.#removeFiles(holder, [{ name, ...node }], path);
  }

  async page(directory: TreeDirectory<Round>, entries: readonly BriefEntry[]): Promise<void> {
    const files = entries.filter(({ attributes }) => attributes.type !== "directory");
    for (let start = 0; start < files.length; start += treeLimits.removalsPerCall) {
      const some = files.slice(start, start + treeLimits.removalsPerCall);
      const [only = ""] = some.length === 1 ? some.map(({ name }) => name) : [];
      await this.#removeFiles(directory, some, directory.pathOf(only));
    }
  }

  async enter(): Promise<{ readonly data: Round }> {
    return { data: { removed: 0 } };
  }

  boundary(parent: TreeDirectory<Round>, { name }: BriefEntry): void {
    parent.failed = true;
    const path = JSON.stringify(parent.pathOf(name));
    this.#traversal.failures.note(
      new BerthError(
        "storage-busy",
        `${this.#client.name}: ${path} is another file system, which is not entered: unmount it on the server`,
      ),
    );
  }

  /** Entries that appeared meanwhile, or that the server left out as others went, make one more round. */
  async leave(directory: TreeDirectory<Round>): Promise<"done" | "again"> {
    if (directory.failed) return "done";
    const holder = directory.parent ?? this.#top?.holder;
    const name = directory.parent === undefined ? this.#top?.name : directory.name;
    if (holder === undefined || name === undefined) return "done";
    try {
      await unlessGone(this.#rmdir(holder, name, directory.path));
    } catch (error) {
      if (hasCode(error, "storage-not-empty") && directory.data.removed > 0) {
        directory.data.removed = 0;
        return "again";
      }
      directory.failed = true;
      this.#traversal.failures.note(error);
      return "done";
    }
    holder.data.removed++;
    this.progress.add(1, 0n);
    return "done";
  }

  async #rmdir(holder: TreeDirectory<Round>, name: FileName, path: string): Promise<void> {
    await this.#traversal.within(holder, path, (options) => this.#client.rmdir(holder.handle, name, options));
  }

  async #removeFiles(
    directory: TreeDirectory<Round>,
    files: readonly BriefEntry[],
    path: string,
  ): Promise<void> {
    const names = files.map(({ name }) => name);
    let failures: ReadonlyMap<number, Error>;
    try {
      failures = await this.#traversal.within(directory, path, (options) =>
        this.#removeMany(directory, names, options),
      );
    } catch (error) {
      if (isGone(error)) return; // the directory, with all in it
      directory.failed = true;
      return this.#traversal.failures.note(error);
    }
    const removed = files.filter((_, index) => !failures.has(index));
    directory.data.removed += removed.length;
    this.progress.add(removed.length, sizeOf(removed));
    // STALE too: a server may tell so of a name that another removes at this moment.
    const left = [...failures.values()].filter((failure) => !isGone(failure));
    if (left.length > 0) directory.failed = true;
    for (const failure of left) this.#traversal.failures.note(failure);
  }

  /** A refusal of all is thrown, so that it can be tried as the owner. */
  async #removeMany(
    directory: TreeDirectory<Round>,
    names: readonly FileName[],
    options: Parameters<NfsClient["removeMany"]>[2],
  ): Promise<ReadonlyMap<number, Error>> {
    const failures = await this.#client.removeMany(directory.handle, names, options);
    const [first] = failures.values();
    if (failures.size === names.length && hasCode(first, "storage-access")) throw first;
    return failures;
  }
}

/** The result, or undefined when what it is about is gone. */
async function unlessGone<R>(operation: Promise<R>): Promise<R | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
