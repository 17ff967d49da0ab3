import { hasCode } from "../core/errors.ts";
import {
  type FileHandle,
  type FileNode,
  type NameBelow,
  type NfsClient,
  NfsError,
  type StepsOutcome as NfsOutcome,
  type Step as NfsStep,
  type OperationOptions,
  type Renaming,
  type StepResult,
} from "../nfs/index.ts";
import type { Move } from "./rename-batches.ts";
import type { Step } from "./share.ts";
import { type SharePath, shareRoot, splitPath } from "./share-path.ts";
import { isChange, pathsOf } from "./steps.ts";

const none: readonly string[] = [];

/** Only whoever keeps the share reads its records. */
const newFileMode = 0o600;
/** A server keeps its answer to changes, up to a few KiB: what a record mostly has is read in the same request. */
const readAmongChangesBytes = 2048;

/**
 * Finds directories by path each time, so that what others rename is never mistaken for what took its
 * place. Only the handles of the kept directories, which nobody renames, are remembered, and begun from.
 */
export class NfsHandles {
  readonly client: NfsClient;
  readonly #kept: ReadonlySet<SharePath>;
  readonly #known = new Map<SharePath, FileHandle>();

  constructor(client: NfsClient, kept: ReadonlySet<SharePath>) {
    this.client = client;
    this.#kept = kept;
  }

  /**
   * Runs `operation` on a directory's handle. If a remembered one on the way to it turns out to be stale, be it the
   * export's root, once more with fresh ones, if nothing has been done.
   */
  with<R>(
    path: SharePath,
    options: OperationOptions,
    operation: (directory: FileHandle) => Promise<R>,
  ): Promise<R> {
    return this.#again(async () => await operation(await this.#directory(path, options)));
  }

  /** Renames all, in their order. @returns the failures, by index */
  async rename(moves: readonly Move[], options: OperationOptions): Promise<ReadonlyMap<number, unknown>> {
    const failures = new Map(await this.#renameOnce(moves, options));
    const stale = moves.flatMap((_, index) => (hasCode(failures.get(index), "storage-stale") ? [index] : []));
    if (stale.length === 0) return failures;
    this.#known.clear();
    await this.client.renewRoot();
    const again = await this.#renameOnce(
      moves.filter((_, index) => stale.includes(index)),
      options,
    );
    for (const [position, index] of stale.entries()) {
      if (again.has(position)) failures.set(index, again.get(position));
      else failures.delete(index);
    }
    return failures;
  }

  async #renameOnce(moves: readonly Move[], options: OperationOptions): Promise<Map<number, unknown>> {
    const found = await Promise.allSettled(moves.map((move) => this.#renaming(move, options)));
    const failures = new Map<number, unknown>();
    const renamings: Renaming[] = [];
    const indexes: number[] = [];
    for (const [index, outcome] of found.entries()) {
      if (outcome.status === "rejected") failures.set(index, outcome.reason);
      else indexes[renamings.push(outcome.value) - 1] = index;
    }
    for (const [position, failure] of await this.client.renameMany(renamings, options)) {
      failures.set(indexes[position] ?? position, failure);
    }
    return failures;
  }

  async #renaming({ path, newPath }: Move, options: OperationOptions): Promise<Renaming> {
    for (const each of [path, newPath]) await this.#findParent(each, options);
    return { from: this.#at(path), to: this.#at(newPath), path, newPath };
  }

  /** What a path is, in one round trip where the server admits that. Not of the root. */
  node(path: SharePath, options: OperationOptions): Promise<FileNode> {
    return this.#again(() => {
      const { from, rest } = this.#nearest(path);
      return this.client.resolve(from, rest, options);
    });
  }

  /**
   * As `NfsClient.inOrder`. Where a remembered handle turns out to be stale, what is left of the steps goes once more with
   * fresh ones.
   */
  async inOrder(steps: readonly Step[], options: OperationOptions): Promise<NfsOutcome> {
    const first = await this.#inOrderOnce(steps, options);
    if (!hasCode(first.failure, "storage-stale")) return first;
    this.#known.clear();
    try {
      await this.client.renewRoot();
    } catch (failure) {
      return { ...first, failure };
    }
    if (first.failure instanceof NfsError && first.failure.outcome === "done") return first; // in part, on other handles
    const rest = await this.#inOrderOnce(steps.slice(first.results.length), options);
    return { ...rest, results: [...first.results, ...rest.results] };
  }

  /** A kept directory that is missing, or not known for another reason, fails its own step and none before it. */
  async #inOrderOnce(steps: readonly Step[], options: OperationOptions): Promise<NfsOutcome> {
    const readBytesMax = steps.some(isChange) ? readAmongChangesBytes : this.client.features.readBytesMax;
    const results: StepResult[] = [];
    while (results.length < steps.length) {
      const rest = steps.slice(results.length);
      const { count, failure } = await this.#findParents(rest, options);
      if (count === 0) return { results, failure };
      const ready = rest.slice(0, count).map((step) => this.#stepOf(step, readBytesMax));
      const outcome = await this.client.inOrder(ready, options);
      results.push(...outcome.results);
      if (outcome.failure !== undefined) return { results, failure: outcome.failure };
    }
    return { results };
  }

  /** @returns of how many steps, from the first, the kept directories are known now, and why not of the next */
  async #findParents(
    steps: readonly Step[],
    options: OperationOptions,
  ): Promise<{ readonly count: number; readonly failure?: unknown }> {
    for (const [count, step] of steps.entries()) {
      try {
        for (const path of pathsOf(step)) await this.#findParent(path, options);
      } catch (failure) {
        return { count, failure };
      }
    }
    return { count: steps.length };
  }

  /** Makes the directory known that a name lies in, if that is a kept one. */
  #findParent(path: SharePath, options: OperationOptions): undefined | Promise<FileHandle> {
    const parent = splitPath(path)?.parent;
    if (parent === undefined || !this.#kept.has(parent) || this.#knownHandle(parent) !== undefined)
      return undefined;
    return this.#find(parent, { ...options, path });
  }

  #stepOf(step: Step, readBytesMax: number): NfsStep {
    if (step.kind === "link") {
      const { existing: path, created: newPath } = step;
      return { kind: "link", from: this.#at(path), to: this.#at(newPath), path, newPath };
    }
    const { path } = step;
    const at = this.#at(path);
    switch (step.kind) {
      case "stat":
        return { kind: "lookup", at, path };
      case "readFile":
        return { kind: "read", at, path, lengthBytes: Math.min(step.bytesMax + 1, readBytesMax) };
      case "createFile":
        return { kind: "create", at, path, attributes: { mode: newFileMode }, content: step.content };
      case "makeDirectory":
        return { kind: "mkdir", at, path, attributes: { mode: step.mode } };
      case "removeFile":
        return { kind: "remove", at, path, type: "file" };
      case "removeDirectory":
        return { kind: "remove", at, path, type: "directory" };
    }
  }

  /** A name, from the innermost directory whose handle is known. */
  #at(path: SharePath): NameBelow {
    const place = splitPath(path);
    if (place === undefined) throw new TypeError("the share's root has no name");
    const { parent, name } = place;
    const known = this.#knownHandle(parent);
    if (known !== undefined) return { directory: known, way: none, name };
    const { from, rest } = this.#nearest(parent);
    return { directory: from, way: rest, name };
  }

  #knownHandle(directory: SharePath): FileHandle | undefined {
    return directory === shareRoot ? this.client.root.handle : this.#known.get(directory);
  }

  async #again<R>(operation: () => Promise<R>): Promise<R> {
    try {
      return await operation();
    } catch (error) {
      if (!hasCode(error, "storage-stale")) throw error;
      this.#known.clear();
      await this.client.renewRoot();
      if (error instanceof NfsError && error.outcome === "done") throw error; // its first part, on other handles
      return await operation();
    }
  }

  /** The innermost remembered directory that a path lies in, and what is left of it: at least its name. */
  #nearest(path: SharePath): { from: FileHandle; rest: string[] } {
    const rest: string[] = [];
    let from: FileHandle | undefined;
    for (let parts = splitPath(path); parts !== undefined && from === undefined; ) {
      rest.push(parts.name);
      from = this.#known.get(parts.parent);
      parts = splitPath(parts.parent);
    }
    return { from: from ?? this.client.root.handle, rest: rest.reverse() };
  }

  #directory(path: SharePath, options: OperationOptions): FileHandle | Promise<FileHandle> {
    return this.#knownHandle(path) ?? this.#find(path, options);
  }

  async #find(path: SharePath, options: OperationOptions): Promise<FileHandle> {
    const { from, rest } = this.#nearest(path);
    const { handle } = await this.client.resolve(from, rest, options);
    if (this.#kept.has(path)) this.#known.set(path, handle);
    return handle;
  }
}
