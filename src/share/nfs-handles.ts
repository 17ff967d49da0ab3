import { hasCode } from "../core/errors.ts";
import type { FileHandle, NfsClient, OperationOptions } from "../nfs/index.ts";
import { componentsOf, join, type SharePath, shareRoot } from "./share-path.ts";

/**
 * Finds directories by path each time, so that what others rename is never mistaken for what took its
 * place. Only the handles of the kept directories, which nobody renames, are remembered, and begun from.
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
    const { from, rest } = this.#nearest(path);
    try {
      return await operation(await this.#find(path, from, rest, options));
    } catch (error) {
      if (!hasCode(error, "storage-stale") || from === this.#client.root.handle) throw error;
      this.#known.clear();
      return await operation(await this.#find(path, this.#client.root.handle, componentsOf(path), options));
    }
  }

  /** The innermost remembered directory on the way to a path, and what is left of the way. */
  #nearest(path: SharePath): { from: FileHandle; rest: string[] } {
    const components = componentsOf(path);
    for (let depth = components.length; depth > 0; depth -= 1) {
      const from = this.#known.get(join(shareRoot, ...components.slice(0, depth)));
      if (from !== undefined) return { from, rest: components.slice(depth) };
    }
    return { from: this.#client.root.handle, rest: components };
  }

  async #find(
    path: SharePath,
    from: FileHandle,
    rest: readonly string[],
    options: OperationOptions,
  ): Promise<FileHandle> {
    if (rest.length === 0) return from;
    const { handle } = await this.#client.resolve(from, rest, options);
    if (this.#kept.has(path)) this.#known.set(path, handle);
    return handle;
  }
}
