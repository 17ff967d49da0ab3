import type { Dir } from "node:fs";
import { readSync, statfs } from "node:fs";
import { promisify } from "node:util";
import { type Clock, systemClock } from "../core/clock.ts";
import { BerthError, hasCode } from "../core/errors.ts";
import { noEntry, storageError } from "./errno.ts";
import { entriesOf, fileStat, modeOf } from "./file-stat.ts";
import {
  changeMode,
  changeOwner,
  closeFd,
  createFileAt,
  linkAt,
  listOpen,
  lookAt,
  lookAtOpen,
  makeDirectoryAt,
  openDirectoryAt,
  openFileAt,
  readOpen,
  removeDirectoryAt,
  renameAt,
  unlinkAt,
  writeAll,
} from "./fs-at.ts";
import { OpenDirectories, type OpenDirectory } from "./open-directories.ts";
import { removeTreeAt } from "./remove-tree.ts";
import type {
  AnySteps,
  Attributes,
  FileStat,
  Share,
  ShareEntry,
  Space,
  StepsOutcome,
  TreeOptions,
  TreeProgress,
  TreeUsage,
} from "./share.ts";
import { type SharePath, shareRoot, splitPath } from "./share-path.ts";
import { inTurn } from "./steps.ts";
import { usageAt } from "./usage-tree.ts";

const statFileSystem = promisify(statfs);

/** A directory of this size (stat's) has a few hundred entries at most, and is read at once. */
const smallBytesMax = 4096;

/** A step from a name in one directory to a name in another. */
type Between = (from: OpenDirectory, source: string, to: OpenDirectory, target: string) => Promise<void>;

export interface DirectoryShareOptions {
  /** The name that the configuration gives it. */
  readonly name: string;
  /** An absolute path; it exists already. */
  readonly path: string;
  /** Directories that most operations pass, worth keeping open. The first is there before anything else is done. */
  readonly kept?: readonly SharePath[];
  readonly clock?: Clock;
}

/**
 * A local directory as a share, for clusters of one node, development and tests. It works on open
 * directories (see `fs-at.ts`): no symbolic link, planted at whatever moment, leads out of the share.
 * Where the file system keeps the order of changes, `sync` alone waits for its journal; elsewhere each step does.
 */
export class DirectoryShare implements Share {
  readonly name: string;
  readonly #path: string;
  readonly #directories: OpenDirectories;
  /** Changed by `sync`. */
  readonly #own: SharePath;
  readonly #clock: Clock;

  constructor(options: DirectoryShareOptions) {
    this.name = `share ${options.name} (${options.path})`;
    this.#path = options.path;
    this.#clock = options.clock ?? systemClock;
    const kept = options.kept ?? [];
    this.#own = kept[0] ?? shareRoot;
    this.#directories = new OpenDirectories(options.path, kept, this.#clock);
  }

  async stat(path: SharePath): Promise<FileStat> {
    const step = "look at";
    if (path === shareRoot) return this.#look(step, path, path, ({ fd }) => fileStat(lookAtOpen(fd)));
    const found = this.#lookAt(step, path, lookAt);
    if (found === undefined) throw this.#failure(noEntry(this.name, step, path), step, path);
    return fileStat(found);
  }

  async *list(path: SharePath): AsyncIterable<ShareEntry> {
    const listing = this.#look("list", path, path, ({ fd }) => (isSmall(fd) ? readOpen(fd) : listOpen(fd)));
    if (Array.isArray(listing)) yield* entriesOf(listing);
    else yield* this.#listed(path, listing);
  }

  async *#listed(path: SharePath, listing: Dir): AsyncIterable<ShareEntry> {
    try {
      for (let entry = listing.readSync(); entry !== null; entry = await listing.read()) {
        yield* entriesOf([entry]);
      }
    } catch (reason) {
      throw this.#failure(reason, "list", path);
    } finally {
      listing.closeSync();
    }
  }

  async readFile(path: SharePath, bytesMax: number): Promise<Uint8Array> {
    return this.#lookAt("read", path, (parent, name) => {
      const fd = openFileAt(parent, name);
      try {
        const stat = lookAtOpen(fd);
        if (!stat.isFile()) throw this.#unsupported(path, "is no regular file");
        return this.#readAll(fd, Number(stat.size), path, bytesMax);
      } finally {
        closeFd(fd);
      }
    });
  }

  createFile(path: SharePath, content: Uint8Array): Promise<void> {
    return this.#at("create", path, (parent, name) => writeNew(parent, name, content));
  }

  link(existing: SharePath, created: SharePath): Promise<void> {
    return this.#between("link", existing, created, async (from, source, to, target) => {
      linkAt(from.fd, source, to.fd, target);
      await to.sync();
    });
  }

  inOrder<const Steps extends AnySteps>(steps: Steps, signal?: AbortSignal): Promise<StepsOutcome<Steps>> {
    return inTurn(this, steps, signal);
  }

  makeDirectory(path: SharePath, mode: number): Promise<FileStat> {
    return this.#at("make directory", path, async (parent, name) => {
      makeDirectoryAt(parent.fd, name, mode);
      const found = lookAt(parent.fd, name);
      if (found === undefined) throw noEntry(this.name, "look at", path);
      const made = { ...fileStat(found), mode };
      if (made.mode !== modeOf(found)) this.#changeMode(parent, name, mode); // the umask took bits away
      await parent.sync();
      return made;
    });
  }

  setAttributes(path: SharePath, attributes: Attributes): Promise<void> {
    return this.#with("change mode or owner of", path, path, async (directory) => {
      const { fd } = directory;
      const { mode, uid, gid } = attributes;
      if (uid !== undefined || gid !== undefined) changeOwner(fd, uid ?? -1, gid ?? -1);
      // After the owner: chown takes away set-uid and set-gid bits.
      if (mode !== undefined) changeMode(fd, mode);
      await directory.sync();
    });
  }

  rename(from: SharePath, to: SharePath): Promise<void> {
    return this.#between("rename", from, to, async (source, sourceName, target, targetName) => {
      renameAt(source.fd, sourceName, target.fd, targetName);
      // One transaction of the file system's journal holds both ends.
      await source.sync();
    });
  }

  removeFile(path: SharePath): Promise<void> {
    return this.#at("remove", path, async (parent, name) => unlinkAt(parent.fd, name));
  }

  removeDirectory(path: SharePath): Promise<void> {
    return this.#at("remove directory", path, async (parent, name) => removeDirectoryAt(parent.fd, name));
  }

  async removeTree(path: SharePath, options: TreeOptions = {}): Promise<TreeProgress> {
    try {
      return await this.#at("remove tree", path, (parent, name) =>
        removeTreeAt(parent.fd, name, options, this.#clock),
      );
    } catch (reason) {
      if (hasCode(reason, "storage-no-entry")) return { entries: 0 };
      throw reason;
    }
  }

  usage(path: SharePath, options: TreeOptions = {}): Promise<TreeUsage> {
    return this.#at("measure", path, (parent, name) => usageAt(parent.fd, name, options, this.#clock));
  }

  space(path: SharePath): Promise<Space> {
    return this.#with("ask the space of", path, path, async ({ fd }) => {
      const found = await statFileSystem(`/proc/self/fd/${fd}/.`, { bigint: true });
      return {
        totalBytes: found.blocks * found.bsize,
        availableBytes: found.bavail * found.bsize,
        totalInodes: found.files,
        availableInodes: found.ffree,
      };
    });
  }

  async sync(): Promise<void> {
    try {
      await this.#with("sync", this.#own, this.#own, (directory) => directory.syncAll());
    } catch (reason) {
      if (!hasCode(reason, "storage-no-entry")) throw reason; // else nothing was ever done here
    }
  }

  async close(): Promise<void> {
    this.#directories.forget();
  }

  /**
   * A step that only looks, at once: without promises in between, which cost more than the look.
   * @param path that the step is about, and its failure names
   */
  #look<T>(step: string, path: SharePath, at: SharePath, work: (directory: OpenDirectory) => T): T {
    try {
      const directory = this.#directories.get(at);
      try {
        return work(directory);
      } finally {
        directory.release();
      }
    } catch (reason) {
      throw this.#failure(reason, step, path);
    }
  }

  /** A step that may wait. @param path as for `#look` */
  async #with<T>(
    step: string,
    path: SharePath,
    at: SharePath,
    work: (directory: OpenDirectory) => Promise<T>,
  ): Promise<T> {
    try {
      const directory = this.#directories.get(at);
      try {
        return await work(directory);
      } finally {
        directory.release();
      }
    } catch (reason) {
      throw this.#failure(reason, step, path);
    }
  }

  #lookAt<T>(step: string, path: SharePath, work: (parent: number, name: string) => T): T {
    const { parent, name } = this.#split(path);
    return this.#look(step, path, parent, ({ fd }) => work(fd, name));
  }

  async #at<T>(
    step: string,
    path: SharePath,
    work: (parent: OpenDirectory, name: string) => Promise<T>,
  ): Promise<T> {
    const { parent, name } = this.#split(path);
    return this.#with(step, path, parent, (directory) => work(directory, name));
  }

  async #between(step: string, from: SharePath, to: SharePath, work: Between): Promise<void> {
    const [source, target] = [this.#split(from), this.#split(to)];
    return this.#with(`${step} ${from} to`, to, target.parent, async (targetParent) => {
      const sourceParent = this.#directories.get(source.parent);
      try {
        await work(sourceParent, source.name, targetParent, target.name);
      } finally {
        sourceParent.release();
      }
    });
  }

  /** What a step's failure says of what and where. What was kept open is given up when it has gone stale. */
  #failure(reason: unknown, step: string, path: SharePath): unknown {
    const error = storageError(reason, this.name, step, path);
    const isStale = hasCode(error, "storage-stale");
    if (!isStale && !(hasCode(error, "storage-no-entry") && !this.#directories.rootIsThere())) return error;
    this.#directories.forget();
    return new BerthError(
      "storage-unavailable",
      `${this.name}: the directory ${this.#path} is gone: create or mount it`,
      { cause: error },
    );
  }

  #changeMode(parent: OpenDirectory, name: string, mode: number): void {
    const fd = openDirectoryAt(parent.fd, name);
    try {
      changeMode(fd, mode);
    } finally {
      closeFd(fd);
    }
  }

  #split(path: SharePath): { parent: SharePath; name: string } {
    const split = splitPath(path);
    if (split === undefined) throw this.#unsupported(path, "is the share's root");
    return split;
  }

  #readAll(fd: number, sizeBytes: number, path: SharePath, bytesMax: number): Uint8Array {
    if (sizeBytes <= bytesMax) {
      const buffer = Buffer.allocUnsafe(sizeBytes + 1);
      const length = readSync(fd, buffer, 0, buffer.length, 0);
      // A file that grows meanwhile is none of ours: those never change.
      if (length < buffer.length) return buffer.subarray(0, length);
    }
    throw new BerthError("storage-too-large", `${this.name}: ${path} is larger than ${bytesMax} bytes`);
  }

  #unsupported(path: SharePath, cause: string): BerthError {
    return new BerthError(
      "storage-unsupported",
      `${this.name}: ${path === shareRoot ? "the path" : path} ${cause}`,
    );
  }
}

async function writeNew(parent: OpenDirectory, name: string, content: Uint8Array): Promise<void> {
  const fd = createFileAt(parent.fd, name);
  try {
    await writeAll(fd, content);
  } finally {
    closeFd(fd);
  }
}

function isSmall(fd: number): boolean {
  return Number(lookAtOpen(fd).size) <= smallBytesMax;
}
