import type { NfsClient } from "../client.ts";
import type { FileAttributes, FileNode } from "../file.ts";
import { HardLinks } from "./hard-links.ts";
import { treeLimits } from "./limits.ts";
import { inBrief, Traversal } from "./traversal.ts";
import type { BriefEntry } from "./tree-directory.ts";
import { type NamedTreeOptions, ProgressCounter } from "./tree-options.ts";

/** What a tree takes, its first directory included. */
export interface TreeUsage {
  /** Names in the tree: each name of a file with several counts here. */
  readonly entries: number;
  /** Files, directories and all else: a file with several names counts once. */
  readonly inodes: number;
  readonly directories: number;
  /** What is taken on the disk, as `du` counts: a file with several names counts once. */
  readonly usedBytes: bigint;
  /** The files' lengths, as `du --apparent-size --files0` counts; directories have none. */
  readonly sizeBytes: bigint;
  /**
   * Names whose file could not be remembered: more than `hardLinksMax` files with several names were open at
   * once. Such a name counts its share, size / links: exact where all names of the file lie in the tree.
   */
  readonly sharedNames: number;
  /** Directories on other file systems, which were not entered. */
  readonly boundaries: number;
}

/** Measures a tree. Follows no symbolic link, stays on one file system. @throws BerthError */
export async function usageOfTree(
  client: NfsClient,
  root: FileNode,
  options: NamedTreeOptions = {},
  hardLinksMax: number = treeLimits.hardLinksMax,
): Promise<TreeUsage> {
  const usage = new Counter(hardLinksMax);
  const progress = new ProgressCounter(options.onProgress);
  usage.add(root.attributes);
  const traversal = new Traversal<undefined, BriefEntry>(
    client,
    {
      async page(_, entries) {
        const before = usage.sizeBytes;
        for (const { attributes } of entries) usage.add(attributes);
        progress.add(entries.length, usage.sizeBytes - before);
      },
      enter: async () => ({ data: undefined }),
      boundary: () => {
        usage.boundaries++;
      },
      leave: async () => "done",
    },
    inBrief,
    options,
  );
  if (root.attributes.type === "directory") await traversal.run(root, undefined, options.path);
  return usage.total();
}

class Counter {
  entries = 0;
  inodes = 0;
  directories = 0;
  usedBytes = 0n;
  sizeBytes = 0n;
  sharedNames = 0;
  boundaries = 0;
  readonly #links: HardLinks<true>;

  constructor(hardLinksMax: number) {
    this.#links = new HardLinks(hardLinksMax);
  }

  add(file: FileAttributes): void {
    this.entries++;
    if (file.type === "directory") this.#addDirectory(file);
    else if (file.links <= 1) this.#addOnly(file);
    else if (this.#links.seen(file) === undefined) this.#addFirstName(file);
  }

  total(): TreeUsage {
    const { entries, inodes, directories, usedBytes, sizeBytes, sharedNames, boundaries } = this;
    return { entries, inodes, directories, usedBytes, sizeBytes, sharedNames, boundaries };
  }

  #addDirectory(directory: FileAttributes): void {
    this.directories++;
    this.inodes++;
    this.usedBytes += directory.usedBytes;
  }

  #addOnly(file: FileAttributes): void {
    this.inodes++;
    this.#addBytes(file, 1n);
  }

  #addFirstName(file: FileAttributes): void {
    // Once one was not, none is: a file of which an earlier name counted its share would count whole beside that.
    const remembered = this.sharedNames === 0 && this.#links.remember(file, true);
    this.inodes++;
    if (!remembered) this.sharedNames++;
    this.#addBytes(file, remembered ? 1n : BigInt(file.links));
  }

  #addBytes(file: FileAttributes, share: bigint): void {
    this.usedBytes += file.usedBytes / share;
    this.sizeBytes += file.sizeBytes / share;
  }
}
