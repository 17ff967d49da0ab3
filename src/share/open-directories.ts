import { statSync } from "node:fs";
import type { Clock } from "../core/clock.ts";
import { NextRun } from "../core/next-run.ts";
import { closeFd, lookAtOpen, openDirectoryAt, openPath, statOpen, syncFd } from "./fs-at.ts";
import { type SharePath, shareRoot, splitPath } from "./share-path.ts";

const checkMs = 1000;

/** A directory that is open, closed when it is no longer kept and nobody uses it any more. */
export class OpenDirectory {
  readonly fd: number;
  readonly #syncs = new NextRun(() => syncFd(this.fd));
  #users = 1;

  constructor(fd: number) {
    this.fd = fd;
  }

  use(): this {
    this.#users += 1;
    return this;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0) closeFd(this.fd);
  }

  /** Makes the directory's entries durable. */
  sync(): Promise<void> {
    return this.#syncs.run();
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
    if (split === undefined) return new OpenDirectory(openPath(this.#rootPath));
    const parent = this.#get(split.parent);
    try {
      return new OpenDirectory(openDirectoryAt(parent.fd, split.name));
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
