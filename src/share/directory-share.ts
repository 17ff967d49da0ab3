import type { BigIntStats, Dirent } from "node:fs";
import { readSync, statfs } from "node:fs";
import { promisify } from "node:util";
import { type Clock, systemClock } from "../core/clock.ts";
import { BerthError, hasCode } from "../core/errors.ts";
import { storageError } from "./errno.ts";
import {
  changeMode,
  changeOwner,
  closeFd,
  createFileAt,
  linkAt,
  listOpen,
  makeDirectoryAt,
  openDirectoryAt,
  openFileAt,
  removeDirectoryAt,
  renameAt,
  statAt,
  statOpen,
  syncFd,
  unlinkAt,
  writeAll,
} from "./fs-at.ts";
import { OpenDirectories, type OpenDirectory } from "./open-directories.ts";
import { removeTreeAt } from "./remove-tree.ts";
import type {
  Attributes,
  FileStat,
  Share,
  ShareEntry,
  Space,
  TreeOptions,
  TreeProgress,
  TreeUsage,
} from "./share.ts";
import { type SharePath, shareRoot, splitPath } from "./share-path.ts";
import { usageAt } from "./usage-tree.ts";

const statFileSystem = promisify(statfs);

/** So many entries of a listing are read at once; further ones by Node's thread pool, a batch a turn. */
const entriesAtOnceMax = 16;

export interface DirectoryShareOptions {
  /** The name that the configuration gives it. */
  readonly name: string;
  /** An absolute path; it exists already. */
  readonly path: string;
  /** Directories that most operations pass, worth keeping open. */
  readonly kept?: readonly SharePath[];
  readonly clock?: Clock;
}

/**
 * A local directory as a share, for clusters of one node, development and tests. It works on open
 * directories (see `fs-at.ts`): no symbolic link, planted at whatever moment, leads out of the share.
 * Like NFS (RFC 1813 §1), it answers only when what it did would survive a power cut.
 */
export class DirectoryShare implements Share {
  readonly name: string;
  readonly #path: string;
  readonly #directories: OpenDirectories;
  readonly #clock: Clock;

  constructor(options: DirectoryShareOptions) {
    this.name = `share ${options.name} (${options.path})`;
    this.#path = options.path;
    this.#clock = options.clock ?? systemClock;
    this.#directories = new OpenDirectories(options.path, options.kept ?? [], this.#clock);
  }

  async stat(path: SharePath): Promise<FileStat> {
    return await this.#run("look at", path, async () => {
      if (path === shareRoot) return await this.#with(path, async (root) => fileStat(statOpen(root.fd)));
      return await this.#at(path, async (parent, name) => fileStat(statAt(parent.fd, name)));
    });
  }

  async *list(path: SharePath): AsyncIterable<ShareEntry> {
    const listing = await this.#run("list", path, () => this.#with(path, async ({ fd }) => listOpen(fd)));
    try {
      for (let count = 0; ; count += 1) {
        const atOnce = count < entriesAtOnceMax;
        const entry = await this.#run("list", path, async () =>
          atOnce ? listing.readSync() : await listing.read(),
        );
        if (entry === null) return;
        const name = utf8Name(entry);
        if (name !== undefined) yield { name, type: typeOf(entry) };
      }
    } finally {
      listing.closeSync();
    }
  }

  async readFile(path: SharePath, bytesMax: number): Promise<Uint8Array> {
    return await this.#run("read", path, () =>
      this.#at(path, async (parent, name) => {
        const fd = openFileAt(parent.fd, name);
        try {
          const stat = statOpen(fd);
          if (!stat.isFile()) throw this.#unsupported(path, "is no regular file");
          return this.#readAll(fd, stat.size, path, bytesMax);
        } finally {
          closeFd(fd);
        }
      }),
    );
  }

  async createFile(path: SharePath, content: Uint8Array): Promise<void> {
    await this.#run("create", path, () =>
      this.#at(path, async (parent, name) => {
        const fd = await createFileAt(parent.fd, name);
        try {
          await writeAll(fd, content);
        } finally {
          closeFd(fd);
        }
      }),
    );
  }

  async link(existing: SharePath, created: SharePath): Promise<void> {
    await this.#run("link to", created, () =>
      this.#at(existing, (from, source) =>
        this.#at(created, async (to, target) => {
          await linkAt(from.fd, source, to.fd, target);
          await to.sync();
        }),
      ),
    );
  }

  async makeDirectory(path: SharePath, mode: number): Promise<FileStat> {
    return await this.#run("make directory", path, () =>
      this.#at(path, async (parent, name) => {
        await makeDirectoryAt(parent.fd, name, mode);
        let made = fileStat(statAt(parent.fd, name));
        if (made.mode !== mode) {
          made = { ...made, mode };
          this.#changeMode(parent, name, mode); // the umask took bits away
        }
        await parent.sync();
        return made;
      }),
    );
  }

  async setAttributes(path: SharePath, attributes: Attributes): Promise<void> {
    await this.#run("change mode or owner of", path, () =>
      this.#with(path, async ({ fd }) => {
        const { mode, uid, gid } = attributes;
        if (uid !== undefined || gid !== undefined) changeOwner(fd, uid ?? -1, gid ?? -1);
        // After the owner: chown takes away set-uid and set-gid bits.
        if (mode !== undefined) changeMode(fd, mode);
        await syncFd(fd);
      }),
    );
  }

  async rename(from: SharePath, to: SharePath): Promise<void> {
    await this.#run("rename to", to, () =>
      this.#at(from, (source, sourceName) =>
        this.#at(to, async (target, targetName) => {
          await renameAt(source.fd, sourceName, target.fd, targetName);
          // One transaction of the file system's journal holds both ends.
          await source.sync();
        }),
      ),
    );
  }

  async removeFile(path: SharePath): Promise<void> {
    await this.#run("remove", path, () => this.#at(path, (parent, name) => unlinkAt(parent.fd, name)));
  }

  async removeDirectory(path: SharePath): Promise<void> {
    await this.#run("remove directory", path, () =>
      this.#at(path, (parent, name) => removeDirectoryAt(parent.fd, name)),
    );
  }

  async removeTree(path: SharePath, options: TreeOptions = {}): Promise<TreeProgress> {
    try {
      return await this.#run("remove tree", path, () =>
        this.#at(path, (parent, name) => removeTreeAt(parent.fd, name, options, this.#clock)),
      );
    } catch (reason) {
      if (hasCode(reason, "storage-no-entry")) return { entries: 0 };
      throw reason;
    }
  }

  async usage(path: SharePath, options: TreeOptions = {}): Promise<TreeUsage> {
    return await this.#run("measure", path, () =>
      this.#at(path, (parent, name) => usageAt(parent.fd, name, options, this.#clock)),
    );
  }

  async space(path: SharePath): Promise<Space> {
    return await this.#run("ask the space of", path, () =>
      this.#with(path, async ({ fd }) => {
        const found = await statFileSystem(`/proc/self/fd/${fd}/.`, { bigint: true });
        return {
          totalBytes: found.blocks * found.bsize,
          availableBytes: found.bavail * found.bsize,
          totalInodes: found.files,
          availableInodes: found.ffree,
        };
      }),
    );
  }

  async close(): Promise<void> {
    this.#directories.forget();
  }

  /** Runs one step, and says of its failure what and where. What was kept open is given up when it has gone stale. */
  async #run<T>(step: string, path: SharePath, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (reason) {
      const error = storageError(reason, this.name, step, path);
      if (
        hasCode(error, "storage-stale") ||
        (hasCode(error, "storage-no-entry") && !this.#directories.rootIsThere())
      ) {
        this.#directories.forget();
        throw new BerthError(
          "storage-unavailable",
          `${this.name}: the directory ${this.#path} is gone: create or mount it`,
          {
            cause: error,
          },
        );
      }
      throw error;
    }
  }

  #changeMode(parent: OpenDirectory, name: string, mode: number): void {
    const fd = openDirectoryAt(parent.fd, name);
    try {
      changeMode(fd, mode);
    } finally {
      closeFd(fd);
    }
  }

  async #with<T>(path: SharePath, work: (directory: OpenDirectory) => Promise<T>): Promise<T> {
    const directory = this.#directories.get(path);
    try {
      return await work(directory);
    } finally {
      directory.release();
    }
  }

  async #at<T>(path: SharePath, work: (parent: OpenDirectory, name: string) => Promise<T>): Promise<T> {
    const split = splitPath(path);
    if (split === undefined) throw this.#unsupported(path, "is the share's root");
    return await this.#with(split.parent, (parent) => work(parent, split.name));
  }

  #readAll(fd: number, sizeBytes: bigint, path: SharePath, bytesMax: number): Uint8Array {
    if (sizeBytes <= bytesMax) {
      const buffer = Buffer.allocUnsafe(Number(sizeBytes) + 1);
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

function fileStat(stat: BigIntStats): FileStat {
  return {
    type: typeOf(stat),
    fsid: stat.dev,
    fileid: stat.ino,
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    sizeBytes: stat.size,
    modifiedMs: Number(stat.mtimeMs),
  };
}

function typeOf(thing: BigIntStats | Dirent): FileStat["type"] {
  if (thing.isDirectory()) return "directory";
  if (thing.isFile()) return "file";
  return thing.isSymbolicLink() ? "symlink" : "other";
}

/** Listings give names as bytes (see `listOpen`). */
function utf8Name(entry: Dirent<string | Buffer>): string | undefined {
  const bytes = Buffer.from(entry.name);
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) ? text : undefined;
}
