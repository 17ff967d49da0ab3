import type { Clock } from "../core/clock.ts";
import { closeFd, openDirectoryAt, openPath, statOpen, syncFd } from "./fs-at.ts";
import { componentsOf, join, type SharePath, shareRoot } from "./share-path.ts";

const checkMs = 1000;

/** A directory that is open, closed when it is no longer kept and nobody uses it any more. */
export class OpenDirectory {
  readonly fd: number;
  #users = 1;
  #syncRunning: Promise<void> | undefined;
  #syncNext: Promise<void> | undefined;

  constructor(fd: number) {
    this.fd = fd;
  }

  use(): this {
    this.#users += 1;
    return this;
  }

  async release(): Promise<void> {
    this.#users -= 1;
    if (this.#users === 0) await closeFd(this.fd);
  }

  /**
   * Makes the directory's entries durable. All who ask while one fsync runs share the next: what they
   * changed came before it begins.
   */
  sync(): Promise<void> {
    if (this.#syncRunning === undefined) return this.#startSync();
    this.#syncNext ??= this.#syncRunning.then(
      () => this.#startSync(),
      () => this.#startSync(),
    );
    return this.#syncNext;
  }

  #startSync(): Promise<void> {
    this.#syncNext = undefined;
    const running = syncFd(this.fd).finally(() => {
      if (this.#syncRunning === running) this.#syncRunning = undefined;
    });
    this.#syncRunning = running;
    return running;
  }
}

/**
 * Opens directories of a share component by component, never through a symbolic link. The few that
 * every operation passes stay open; once a second they are checked: a file system mounted over the root
 * later, or a directory deleted and made again by somebody else, is found.
 */
export class OpenDirectories {
  readonly #rootPath: string;
  readonly #kept: ReadonlySet<SharePath>;
  readonly #clock: Clock;
  readonly #open = new Map<SharePath, Promise<OpenDirectory>>();
  #checkedMs = Number.NEGATIVE_INFINITY;

  /** @param kept directories to keep open besides the root */
  constructor(rootPath: string, kept: readonly SharePath[], clock: Clock) {
    this.#rootPath = rootPath;
    this.#kept = new Set([shareRoot, ...kept]);
    this.#clock = clock;
  }

  /** The directory at `path`, for the caller to release. */
  async get(path: SharePath): Promise<OpenDirectory> {
    await this.#checkKept();
    return await this.#get(path);
  }

  /** Forgets what is kept open; those in use are closed when their users release them. */
  async forget(): Promise<void> {
    const kept = [...this.#open.values()];
    this.#open.clear();
    this.#checkedMs = Number.NEGATIVE_INFINITY;
    await Promise.all(
      kept.map(async (opening) => opening.then((directory) => directory.release(), ignoreFailedOpen)),
    );
  }

  async #get(path: SharePath): Promise<OpenDirectory> {
    if (!this.#kept.has(path)) return await this.#openNow(path);
    let opening = this.#open.get(path);
    if (opening === undefined) {
      opening = this.#openNow(path);
      this.#open.set(path, opening);
      opening.catch(() => this.#open.delete(path));
    }
    return (await opening).use();
  }

  async #openNow(path: SharePath): Promise<OpenDirectory> {
    const components = componentsOf(path);
    const name = components.pop();
    if (name === undefined) return new OpenDirectory(await openPath(this.#rootPath));
    const parent = await this.#get(join(shareRoot, ...components));
    try {
      return new OpenDirectory(await openDirectoryAt(parent.fd, name));
    } finally {
      await parent.release();
    }
  }

  async #checkKept(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#checkedMs < checkMs) return;
    this.#checkedMs = nowMs;
    const opening = this.#open.get(shareRoot);
    if (opening === undefined) return;
    const fd = await openPath(this.#rootPath);
    try {
      const [found, root] = await Promise.all([statOpen(fd), opening.then(({ fd }) => statOpen(fd))]);
      const moved = root.dev !== found.dev || root.ino !== found.ino;
      if (moved || (await this.#someIsDeleted())) await this.forget();
    } finally {
      await closeFd(fd);
    }
  }

  async #someIsDeleted(): Promise<boolean> {
    const kept = await Promise.all(this.#open.values());
    const stats = await Promise.all(kept.map(({ fd }) => statOpen(fd)));
    return stats.some(({ nlink }) => nlink === 0n);
  }
}

/** An open that failed told its caller so, and left nothing to close. */
function ignoreFailedOpen(): void {}
