import type { Dirent } from "node:fs";
import type { Clock } from "../core/clock.ts";
import { BerthError } from "../core/errors.ts";
import { errnoOf } from "./errno.ts";
import {
  changeMode,
  closeFd,
  listOpen,
  mountPoints,
  type Name,
  openDirectoryAt,
  openUpAt,
  pathOfOpen,
  removeDirectoryAside,
  renameAt,
  statAt,
  statOpen,
  unlinkAside,
} from "./fs-at.ts";
import type { TreeOptions, TreeProgress } from "./share.ts";

/** How many directories are open at a time; deeper ones are first moved up to the tree's top. */
const depthMax = 32;
/** Files unlinked side by side. */
const batchEntriesMax = 32;

/**
 * Removes what `name` in the open directory `parent` stands for, with all below it. A tree of any depth
 * needs `depthMax` open directories: what lies deeper is renamed up to the top and comes round again.
 */
export async function removeTreeAt(
  parent: number,
  name: Name,
  options: TreeOptions,
  clock: Clock,
): Promise<TreeProgress> {
  const stat = statAt(parent, name);
  if (!stat.isDirectory()) {
    await unlinkAside(parent, name);
    return { entries: 1 };
  }
  const top = openForRemoval(parent, name);
  try {
    const removal = new Removal(top, options, clock);
    removal.refuseMounts();
    while (await removal.emptyDirectory(top, 1));
    await goneIsFine(() => removeDirectoryAside(parent, name));
    return removal.count(1);
  } finally {
    closeFd(top);
  }
}

class Removal {
  readonly #top: number;
  readonly #options: TreeOptions;
  readonly #clock: Clock;
  readonly #startedMs: number;
  #device = -1n;
  #entries = 0;
  #hoisted = 0;

  constructor(top: number, options: TreeOptions, clock: Clock) {
    this.#top = top;
    this.#options = options;
    this.#clock = clock;
    this.#startedMs = clock.nowMs();
  }

  /** A mount inside the tree shows somebody else's files: nothing is removed while there is one. */
  refuseMounts(): void {
    this.#device = statOpen(this.#top).dev;
    const path = pathOfOpen(this.#top);
    const mounted = mountPoints().find((point) => point === path || point.startsWith(`${path}/`));
    if (mounted === undefined) return;
    throw new BerthError(
      "storage-busy",
      `cannot remove ${path}: something is mounted at ${mounted}: unmount it`,
    );
  }

  /** Empties an open directory. @returns true when something was moved up to the top in the meantime */
  async emptyDirectory(directory: number, depth: number): Promise<boolean> {
    const hoistedBefore = this.#hoisted;
    const listing = listOpen(directory);
    try {
      let files: Name[] = [];
      for (;;) {
        this.#options.signal?.throwIfAborted();
        const entry = await listing.read();
        if (entry === null) break;
        if (await isDirectory(directory, entry)) {
          await this.#removeDirectory(directory, nameOf(entry), depth);
        } else if (files.push(nameOf(entry)) === batchEntriesMax) {
          await this.#removeFiles(directory, files);
          files = [];
        }
      }
      await this.#removeFiles(directory, files);
    } finally {
      listing.closeSync();
    }
    return this.#hoisted > hoistedBefore;
  }

  async #removeFiles(directory: number, names: readonly Name[]): Promise<void> {
    // All of them, before the directory is closed: its number could stand for another one by then.
    const outcomes = await Promise.allSettled(
      names.map((name) => goneIsFine(() => unlinkAside(directory, name))),
    );
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    await this.#pace(this.count(names.length));
  }

  async #removeDirectory(parent: number, name: Name, depth: number): Promise<void> {
    if (depth >= depthMax) {
      await this.#hoist(parent, name);
      return;
    }
    const directory = await goneIsFine(() => openForRemoval(parent, name));
    if (directory === undefined) return;
    try {
      if (statOpen(directory).dev !== this.#device) {
        throw new BerthError(
          "storage-busy",
          `cannot remove ${pathOfOpen(directory)}: another file system is mounted there`,
        );
      }
      await this.emptyDirectory(directory, depth + 1);
    } finally {
      closeFd(directory);
    }
    await goneIsFine(() => removeDirectoryAside(parent, name));
    await this.#pace(this.count(1));
  }

  /** Moves a directory to the tree's top under a name that is free. */
  async #hoist(parent: number, name: Name): Promise<void> {
    const directory = await goneIsFine(() => openForRemoval(parent, name));
    if (directory === undefined) return;
    closeFd(directory); // it may be written to now, which a new parent takes
    for (;;) {
      this.#hoisted += 1;
      const target = `.berth-deep-${this.#hoisted}`;
      try {
        statAt(this.#top, target);
      } catch (reason) {
        if (errnoOf(reason) !== "ENOENT") throw reason;
        await goneIsFine(() => renameAt(parent, name, this.#top, target));
        return;
      }
    }
  }

  count(entries: number): TreeProgress {
    this.#entries += entries;
    const progress = { entries: this.#entries };
    this.#options.onProgress?.(progress);
    return progress;
  }

  async #pace({ entries }: TreeProgress): Promise<void> {
    const { entriesPerSecondMax, signal } = this.#options;
    if (entriesPerSecondMax === undefined) return;
    const aheadMs = (entries * 1000) / entriesPerSecondMax - (this.#clock.nowMs() - this.#startedMs);
    if (aheadMs > 10) await this.#clock.sleep(aheadMs, signal);
  }
}

/** A directory to empty or move. Where its mode shuts its owner out (we are not root), it is opened up. */
function openForRemoval(parent: number, name: Name): number {
  const directory = openOrOpenUp(parent, name);
  if ((statOpen(directory).mode & 0o700n) === 0o700n) return directory;
  try {
    changeMode(directory, 0o700);
  } catch (reason) {
    if (errnoOf(reason) !== "EPERM") throw reason; // not its owner: the removal itself says what it needs
  }
  return directory;
}

function openOrOpenUp(parent: number, name: Name): number {
  try {
    return openDirectoryAt(parent, name);
  } catch (reason) {
    if (errnoOf(reason) !== "EACCES") throw reason;
    openUpAt(parent, name);
    return openDirectoryAt(parent, name);
  }
}

/** Some file systems list names without types: then one look is needed. */
async function isDirectory(parent: number, entry: Dirent): Promise<boolean> {
  if (entry.isDirectory()) return true;
  const typeIsKnown =
    entry.isFile() ||
    entry.isSymbolicLink() ||
    entry.isSocket() ||
    entry.isFIFO() ||
    entry.isCharacterDevice() ||
    entry.isBlockDevice();
  if (typeIsKnown) return false;
  return (await goneIsFine(() => statAt(parent, nameOf(entry))))?.isDirectory() ?? false;
}

/** Listings give names as bytes (see `listOpen`). */
function nameOf(entry: Dirent<string | Buffer>): Name {
  return entry.name;
}

/** What somebody else removed first is removed. */
async function goneIsFine<T>(step: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (reason) {
    if (errnoOf(reason) === "ENOENT") return undefined;
    throw reason;
  }
}
