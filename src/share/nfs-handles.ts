import { hasCode } from "../core/errors.ts";
import type { FileHandle, FileNode, NfsClient, OperationOptions, ReadResult } from "../nfs/index.ts";
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
   * Runs `operation` on a directory's handle. If a remembered one on the way to it turns out to be stale,
   * once more with fresh ones: nothing was done on a stale handle.
   */
  async with<R>(
    path: SharePath,
    options: OperationOptions,
    operation: (directory: FileHandle) => Promise<R>,
  ): Promise<R> {
    return await this.#again(async () => operation(await this.#directory(path, options)));
  }

  /** The same with two directories, found side by side. */
  async withBoth<R>(
    one: SharePath,
    other: SharePath,
    options: OperationOptions,
    operation: (one: FileHandle, other: FileHandle) => Promise<R>,
  ): Promise<R> {
    return await this.#again(async () => {
      const found = await Promise.all([this.#directory(one, options), this.#directory(other, options)]);
      return await operation(...found);
    });
  }

  /** What a path is, in one round trip where the server admits that. Not of the root. */
  async node(path: SharePath, options: OperationOptions): Promise<FileNode> {
    return await this.#again(async () => await this.#client.resolve(...this.#wayTo(path), options));
  }

  /** The same with the first bytes of the file that it is. */
  async read(path: SharePath, bytes: number, options: OperationOptions): Promise<FileNode & ReadResult> {
    return await this.#again(async () => await this.#client.readNamed(...this.#wayTo(path), bytes, options));
  }

  #wayTo(path: SharePath): [from: FileHandle, names: string[]] {
    const components = componentsOf(path);
    const name = components.pop() ?? "";
    const { from, rest } = this.#nearest(components);
    return [from, [...rest, name]];
  }

  async #again<R>(operation: () => Promise<R>): Promise<R> {
    try {
      return await operation();
    } catch (error) {
      if (!hasCode(error, "storage-stale")) throw error;
      this.#known.clear();
      return await operation();
    }
  }

  /** The innermost remembered directory on a way, and what is left of it. */
  #nearest(components: string[]): { from: FileHandle; rest: string[] } {
    for (let depth = components.length; depth > 0; depth -= 1) {
      const from = this.#known.get(join(shareRoot, ...components.slice(0, depth)));
      if (from !== undefined) return { from, rest: components.slice(depth) };
    }
    return { from: this.#client.root.handle, rest: components };
  }

  async #directory(path: SharePath, options: OperationOptions): Promise<FileHandle> {
    const { from, rest } = this.#nearest(componentsOf(path));
    if (rest.length === 0) return from;
    const { handle } = await this.#client.resolve(from, rest, options);
    if (this.#kept.has(path)) this.#known.set(path, handle);
    return handle;
  }
}
