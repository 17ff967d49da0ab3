import { hasCode } from "../core/errors.ts";
import type { FileHandle, NfsClient, OperationOptions } from "../nfs/index.ts";
import { componentsOf, type SharePath, shareRoot } from "./share-path.ts";

/**
 * Finds directories by path, from the root each time, so that what others rename is never mistaken for
 * what took its place. Only the handles of the kept directories, which nobody renames, are remembered.
 */
export class NfsHandles {
  readonly #client: NfsClient;
  readonly #kept: ReadonlySet<SharePath>;
  readonly #known = new Map<SharePath, FileHandle>();

  constructor(client: NfsClient, kept: readonly SharePath[]) {
    this.#client = client;
    this.#kept = new Set(kept);
  }

  /**
   * Runs `operation` on a directory's handle. If a remembered one turns out to be stale, once more with
   * a fresh one: nothing was done on a stale handle.
   */
  async with<R>(
    path: SharePath,
    options: OperationOptions,
    operation: (directory: FileHandle) => Promise<R>,
  ): Promise<R> {
    const remembered = this.#known.get(path);
    if (remembered === undefined) return await operation(await this.#find(path, options));
    try {
      return await operation(remembered);
    } catch (error) {
      if (!hasCode(error, "storage-stale")) throw error;
      this.#known.clear();
      return await operation(await this.#find(path, options));
    }
  }

  async #find(path: SharePath, options: OperationOptions): Promise<FileHandle> {
    if (path === shareRoot) return this.#client.root.handle;
    const { handle } = await this.#client.resolve(this.#client.root.handle, componentsOf(path), options);
    if (this.#kept.has(path)) this.#known.set(path, handle);
    return handle;
  }
}
