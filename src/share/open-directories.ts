import { statSync } from "node:fs";
import type { Clock } from "../core/clock.ts";
import { NextRun } from "../core/next-run.ts";
import { closeFd, lookAtOpen, openDirectoryAt, openPath, statOpen, syncFd, touchFd } from "./fs-at.ts";
import { keepsOrder } from "./journal-order.ts";
import { type SharePath, shareRoot, splitPath } from "./share-path.ts";

const checkMs = 1000;

/** A directory that is open, closed when it is no longer kept and nobody uses it any more. */
export class OpenDirectory {
  readonly fd: number;
  /** Of its file system. */
  readonly keepsOrder: boolean;
  /** All who ask while one runs share the next: what they changed came before it begins. */
  readonly #syncs = new NextRun(() => this.#sync());
  #users = 1;

  constructor(fd: number, keepsOrder: boolean) {
    this.fd = fd;
    this.keepsOrder = keepsOrder;
  }

  use(): this {
    this.#users += 1;
    return this;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0) closeFd(this.fd);
  }

  /** Makes the directory's entries and attributes durable. Where the order is kept that is left to `syncAll`. */
  sync(): Promise<void> {
    return this.keepsOrder ? Promise.resolve() : this.#syncs.run();
  }

  /**
   * Makes everything durable that was done on the file system so far, where it keeps the order: else each step was
   * durable by itself. The directory is changed, so the change is the last of all, and that one is committed:
   * fsync of a directory commits the running transaction of ext3 and ext4 (fs/ext4/fsync.c, ext4_fsync_journal), and
   * XFS's log up to the checkpoint that has its last change (xfs_log_force_inode by ili_commit_seq; xlog_cil_force_seq
   * waits for those before it). Setting times is such a change, also under `lazytime`.
   */
  syncAll(): Promise<void> {
    return this.keepsOrder ? this.#syncs.run() : Promise.resolve();
  }

  async #sync(): Promise<void> {
    if (this.keepsOrder) await touchFd(this.fd);
    await syncFd(this.fd);
  }
}

/**
 * Opens directories of a share component by component, never through a symbolic link. The few that
 * every operation passes stay open; once a second it is checked that their paths still lead to them: a file
 * system mounted over the root later, or a directory that somebody else has replaced, is found.
 */
export class OpenDirectories {
  readonly #rootPath: string;
  readonly #kept: ReadonlySet<SharePath>;
  readonly #clock: Clock;
  readonly #open = new Map<SharePath, OpenDirectory>();
  #checkedMs = Number.NEGATIVE_INFINITY;

  /** @param kept directories to keep open besides the root */
  constructor(rootPath: string, kept: readonly SharePath[], clock: Clock) {
    this.#rootPath = rootPath;
    this.#kept = new Set([shareRoot, ...kept]);
    this.#clock = clock;
  }

  /** The directory at `path`, for the caller to release. */
  get(path: SharePath): OpenDirectory {
    this.#checkKept();
    return this.#get(path);
  }

  /** True unless the root is known to be gone: its path leads nowhere, or it was removed while it was open. */
  rootIsThere(): boolean {
    const kept = this.#open.get(shareRoot);
    if (kept !== undefined) return Number(lookAtOpen(kept.fd).nlink) > 0;
    return statSync(this.#rootPath, { throwIfNoEntry: false })?.isDirectory() ?? false;
  }

  /** Forgets what is kept open; those in use are closed when their users release them. */
  forget(): void {
    const kept = [...this.#open.values()];
    this.#open.clear();
    this.#checkedMs = Number.NEGATIVE_INFINITY;
    for (const directory of kept) directory.release();
  }

  #get(path: SharePath): OpenDirectory {
    const kept = this.#open.get(path);
    if (kept !== undefined) return kept.use();
    const opened = this.#openNow(path);
    if (this.#kept.has(path)) this.#open.set(path, opened.use());
    return opened;
  }

  #openNow(path: SharePath): OpenDirectory {
    const split = splitPath(path);
    if (split === undefined) return openRoot(this.#rootPath);
    const parent = this.#get(split.parent);
    try {
      return new OpenDirectory(openDirectoryAt(parent.fd, split.name), parent.keepsOrder);
    } finally {
      parent.release();
    }
  }

  #checkKept(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#checkedMs < checkMs) return;
    this.#checkedMs = nowMs;
    for (const [path, { fd }] of this.#open) {
      const found = statSync(`${this.#rootPath}/${path}`, { bigint: true, throwIfNoEntry: false });
      const kept = statOpen(fd);
      if (found?.ino === kept.ino && found.dev === kept.dev) continue;
      this.forget();
      return;
    }
  }
}

/** A share is one file system: what lies on another below it can never become a volume (EXDEV). */
function openRoot(path: string): OpenDirectory {
  const fd = openPath(path);
  try {
    return new OpenDirectory(fd, keepsOrder(fd));
  } catch (reason) {
    closeFd(fd);
    throw reason;
  }
}
