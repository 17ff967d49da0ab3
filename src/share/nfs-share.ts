import { BerthError, hasCode } from "../core/errors.ts";
import {
  type AttributeChanges,
  type ConnectOptions,
  type Credentials,
  connectNfs,
  type DirectoryEntry,
  type FileAttributes,
  type FileHandle,
  type FileNode,
  type NfsClient,
  type StepResult as NfsStepResult,
  type OperationOptions,
} from "../nfs/index.ts";
import { removeTree } from "../nfs/trees/remove.ts";
import { usageOfTree } from "../nfs/trees/usage.ts";
import { DirectoryGates } from "./directory-gates.ts";
import { LazyClient } from "./lazy-client.ts";
import { NfsHandles } from "./nfs-handles.ts";
import { type Disturbance, type Move, type Place, RenameBatches, signalOfAll } from "./rename-batches.ts";
import type {
  AnySteps,
  Attributes,
  FileStat,
  ResultOf,
  Share,
  ShareEntry,
  Space,
  Step,
  StepsOutcome,
  TreeOptions,
  TreeProgress,
  TreeUsage,
} from "./share.ts";
import { type SharePath, shareRoot, splitPath } from "./share-path.ts";
import { outcomeOf, pathsOf } from "./steps.ts";

export interface NfsShareOptions {
  /** The name that the configuration gives it. */
  readonly name: string;
  readonly connect: ConnectOptions;
  /** Directories that most operations pass and nobody renames: their handles are remembered. */
  readonly kept?: readonly SharePath[];
  /** Directories in each of whose subdirectories one operation works at a time. */
  readonly holders?: readonly SharePath[];
}

/**
 * An NFS export as a share, over our own client: no mount, no privilege. It connects at the first
 * operation.
 */
export class NfsShare implements Share {
  readonly name: string;
  readonly #client: LazyClient;
  readonly #kept: ReadonlySet<SharePath>;
  readonly #holders: ReadonlySet<SharePath>;
  readonly #gates = new DirectoryGates();
  readonly #renames = new RenameBatches(
    this.#gates,
    (move) => this.#disturbanceOf(move),
    (moves) => this.#move(moves),
  );
  #handles: NfsHandles | undefined;

  constructor({ name, connect, kept = [], holders = [] }: NfsShareOptions) {
    this.name = `share ${name} (${connect.host}:${connect.path})`;
    this.#kept = new Set(kept);
    this.#holders = new Set(holders);
    this.#client = new LazyClient((signal) => connectNfs({ ...connect, signal }));
  }

  async stat(path: SharePath, signal?: AbortSignal): Promise<FileStat> {
    if (path === shareRoot) return fileStat((await this.#root(signal)).attributes);
    return await this.#one({ kind: "stat", path }, signal);
  }

  async *list(path: SharePath, signal?: AbortSignal): AsyncIterable<ShareEntry> {
    const { client } = await this.#open(signal);
    const options = optionsOf(signal, path);
    const { handle } = await this.#lookup(path, signal);
    for await (const { entries } of client.readdir(handle, options)) {
      for (const entry of entries) {
        const { name } = entry;
        if (typeof name === "string") yield { name, type: await typeOf(client, handle, entry, options) };
      }
    }
  }

  readFile(path: SharePath, bytesMax: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#one({ kind: "readFile", path, bytesMax }, signal);
  }

  createFile(path: SharePath, content: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#one({ kind: "createFile", path, content }, signal);
  }

  link(existing: SharePath, created: SharePath, signal?: AbortSignal): Promise<void> {
    return this.#one({ kind: "link", existing, created }, signal);
  }

  makeDirectory(path: SharePath, mode: number, signal?: AbortSignal): Promise<FileStat> {
    return this.#one({ kind: "makeDirectory", path, mode }, signal);
  }

  async inOrder<const Steps extends AnySteps>(
    steps: Steps,
    signal?: AbortSignal,
  ): Promise<StepsOutcome<Steps>> {
    const results: unknown[] = [];
    try {
      const handles = await this.#open(signal);
      const found = await this.#gates.beside(this.#waysOf(steps), () =>
        handles.inOrder(steps, optionsOf(signal)),
      );
      for (const [index, result] of found.results.entries()) {
        const step = steps[index];
        if (step === undefined) break;
        const given = this.#resultOf(step, result, handles, signal);
        results.push(given instanceof Promise ? await given : given);
      }
      return outcomeOf(results, found.failure);
    } catch (failure) {
      return outcomeOf(results, failure);
    }
  }

  async setAttributes(path: SharePath, attributes: Attributes, signal?: AbortSignal): Promise<void> {
    const { client } = await this.#open(signal);
    const { handle, attributes: has } = await this.#lookup(path, signal);
    const options = optionsOf(signal, path);
    for (const changes of inOrder(attributes)) {
      try {
        await client.setattr(handle, changes, options);
      } catch (error) {
        // Where root is squashed only the owner changes a mode; AUTH_SYS lets us be the owner (RFC 5531 §8.2).
        if (!hasCode(error, "storage-access") || changes.mode === undefined) throw error;
        await client.setattr(handle, changes, { ...options, credentials: ownerOf(has) });
      }
    }
  }

  async rename(from: SharePath, to: SharePath, signal?: AbortSignal): Promise<void> {
    const [source, target] = [this.#split(from), this.#split(to)];
    await this.#renames.run({ source, target, path: from, newPath: to, signal });
  }

  removeFile(path: SharePath, signal?: AbortSignal): Promise<void> {
    return this.#one({ kind: "removeFile", path }, signal);
  }

  removeDirectory(path: SharePath, signal?: AbortSignal): Promise<void> {
    return this.#one({ kind: "removeDirectory", path }, signal);
  }

  async removeTree(path: SharePath, options: TreeOptions = {}): Promise<TreeProgress> {
    const handles = await this.#open(options.signal);
    const { parent, name } = this.#split(path);
    try {
      // Beside everything: it may take hours.
      const { entries } = await handles.with(parent, optionsOf(options.signal, path), (directory) =>
        removeTree(handles.client, directory, name, { ...options, actAsOwner: true, path }),
      );
      return { entries };
    } catch (reason) {
      // With the directory that held it; an export that is not there has failed before.
      if (hasCode(reason, "storage-no-entry")) return { entries: 0 };
      throw reason;
    }
  }

  async usage(path: SharePath, options: TreeOptions = {}): Promise<TreeUsage> {
    const { client } = await this.#open(options.signal);
    const root = await this.#lookup(path, options.signal);
    let isWhole = true;
    const onFailure = (): void => {
      isWhole = false; // of one entry: the others still count
    };
    const found = await usageOfTree(client, root, { ...options, actAsOwner: true, path, onFailure });
    const { usedBytes, inodes, sharedNames, boundaries } = found;
    return { usedBytes, inodes, approximate: !isWhole || sharedNames > 0 || boundaries > 0 };
  }

  space(path: SharePath, signal?: AbortSignal): Promise<Space> {
    return this.#with(path, signal, async (client, directory, options) => {
      const space = await client.fsstat(directory, options);
      const { totalBytes, availableBytes, totalInodes, availableInodes } = space;
      return { totalBytes, availableBytes, totalInodes, availableInodes };
    });
  }

  /** Nothing is left to do: a server answers a step when it is durable (RFC 1813 §1). */
  async sync(): Promise<void> {}

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #one<const Single extends Step>(
    step: Single,
    signal: AbortSignal | undefined,
  ): Promise<ResultOf<Single["kind"]>> {
    const { done, results, failure } = await this.inOrder([step], signal);
    if (done === 0) throw failure;
    return results[0] as ResultOf<Single["kind"]>;
  }

  /** The directories that steps work in, and those that are looked into on the way, in their order. */
  #waysOf(steps: AnySteps): readonly SharePath[] {
    const ways: SharePath[] = [];
    for (const step of steps) {
      for (const path of pathsOf(step)) {
        for (const directory of this.#wayIn(this.#split(path).parent)) {
          if (!ways.includes(directory)) ways.push(directory);
        }
      }
    }
    return ways.length > 1 ? ways.sort() : ways;
  }

  /** What a step that was done gives, with what the server left of it to do. */
  #resultOf(
    step: Step,
    { attributes, ...read }: NfsStepResult,
    handles: NfsHandles,
    signal: AbortSignal | undefined,
  ): FileStat | undefined | Promise<FileStat | Uint8Array> {
    if (attributes === undefined) return undefined;
    if (step.kind === "readFile") {
      if (attributes.type !== "file")
        throw this.#error("storage-unsupported", step.path, "is no regular file");
      return this.#whole(step, read, handles.client, optionsOf(signal, step.path));
    }
    if (step.kind !== "makeDirectory" || attributes.mode === step.mode) return fileStat(attributes);
    return this.#giveMode(step, signal);
  }

  /** Servers may leave out set-uid, set-gid and sticky. */
  async #giveMode(
    { path, mode }: Extract<Step, { kind: "makeDirectory" }>,
    signal: AbortSignal | undefined,
  ): Promise<FileStat> {
    await this.setAttributes(path, { mode }, signal);
    return await this.stat(path, signal);
  }

  /** The content of a file after its first bytes. */
  async #whole(
    { path, bytesMax }: Extract<Step, { kind: "readFile" }>,
    { handle, data, eof = true }: Omit<NfsStepResult, "attributes">,
    client: NfsClient,
    options: OperationOptions,
  ): Promise<Uint8Array> {
    const pieces = data === undefined ? [] : [data];
    let doneBytes = data?.length ?? 0;
    for (let isMore = !eof; isMore && handle !== undefined && doneBytes <= bytesMax; ) {
      const more = await client.read(handle, BigInt(doneBytes), bytesMax + 1 - doneBytes, options);
      pieces.push(more.data);
      doneBytes += more.data.length;
      isMore = !more.eof && more.data.length > 0;
    }
    if (doneBytes > bytesMax)
      throw this.#error("storage-too-large", path, `is larger than ${bytesMax} bytes`);
    return Buffer.concat(pieces);
  }

  async #lookup(path: SharePath, signal: AbortSignal | undefined): Promise<FileNode> {
    if (path === shareRoot) return await this.#root(signal);
    const handles = await this.#open(signal);
    return await this.#gates.beside(this.#wayIn(this.#split(path).parent), () =>
      handles.node(path, optionsOf(signal, path)),
    );
  }

  #root(signal: AbortSignal | undefined): Promise<FileNode> {
    return this.#with(shareRoot, signal, async (client, handle, options) => {
      return { handle, attributes: await client.getattr(handle, options) };
    });
  }

  /** Runs an operation on a directory. */
  async #with<R>(
    path: SharePath,
    signal: AbortSignal | undefined,
    operation: (client: NfsClient, directory: FileHandle, options: OperationOptions) => Promise<R>,
  ): Promise<R> {
    const handles = await this.#open(signal);
    const options = optionsOf(signal, path);
    return await this.#gates.beside(this.#wayIn(path), () =>
      handles.with(path, options, (directory) => operation(handles.client, directory, options)),
    );
  }

  async #move(moves: readonly Move[]): Promise<ReadonlyMap<number, unknown>> {
    const signal = signalOfAll(moves);
    const handles = await this.#open(signal);
    return await handles.rename(moves, signal === undefined ? {} : { signal });
  }

  /** Nobody works in a holder's subdirectory but who moves something there: the holder is looked into for it. */
  #disturbanceOf({ source, target }: Move): Disturbance {
    const ends = [source.parent, target.parent];
    const shared = ends.filter((directory) => !this.#isHeld(directory));
    return {
      alone: shared.length === 0 ? ends : shared,
      way: ends.flatMap((directory) => this.#wayIn(directory)).filter((at) => !this.#isHeld(at)),
    };
  }

  #isHeld(directory: SharePath): boolean {
    const parent = splitPath(directory)?.parent;
    return parent !== undefined && this.#holders.has(parent);
  }

  #split(path: SharePath): Place {
    const parts = splitPath(path);
    if (parts === undefined) throw this.#error("storage-unsupported", path, "is the share's root");
    return parts;
  }

  /** A directory after those that are looked into on the way to it. */
  #wayIn(directory: SharePath): SharePath[] {
    if (directory === shareRoot || this.#kept.has(directory)) return [directory];
    const way = this.#wayIn(this.#split(directory).parent);
    way.push(directory);
    return way;
  }

  /** Connects where nothing has yet; a promise only then, for each operation of a call passes here. */
  #open(signal: AbortSignal | undefined): NfsHandles | Promise<NfsHandles> {
    const { connected } = this.#client;
    if (connected === undefined) return this.#client.get(signal).then((client) => this.#handlesOf(client));
    return this.#handlesOf(connected);
  }

  #handlesOf(client: NfsClient): NfsHandles {
    if (this.#handles?.client !== client) this.#handles = new NfsHandles(client, this.#kept);
    return this.#handles;
  }

  #error(code: "storage-unsupported" | "storage-too-large", path: SharePath, cause: string): BerthError {
    return new BerthError(code, `${this.name}: ${JSON.stringify(path)} ${cause}`);
  }
}

function optionsOf(signal: AbortSignal | undefined, path?: SharePath): OperationOptions {
  return { ...(path === undefined ? {} : { path }), ...(signal === undefined ? {} : { signal }) };
}

function ownerOf({ uid, gid }: FileAttributes): Credentials {
  return { uid, gid, gids: [] };
}

/** The mode after the owner: changing that takes away set-uid and set-gid. */
function inOrder({ mode, uid, gid }: Attributes): AttributeChanges[] {
  const owner = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
  const changes: AttributeChanges[] = uid === undefined && gid === undefined ? [] : [owner];
  if (mode !== undefined) changes.push({ mode });
  return changes;
}

async function typeOf(
  client: NfsClient,
  directory: FileHandle,
  { name, attributes }: DirectoryEntry,
  options: OperationOptions,
): Promise<FileStat["type"]> {
  const known = attributes ?? (await client.lookup(directory, name, options)).attributes;
  return fileStat(known).type;
}

function fileStat(attributes: FileAttributes): FileStat {
  const { type, fsid, fileid, mode, uid, gid, sizeBytes, modified } = attributes;
  return {
    type: type === "directory" || type === "file" || type === "symlink" ? type : "other",
    fsid,
    fileid,
    mode,
    uid,
    gid,
    sizeBytes,
    modifiedMs: modified.seconds * 1000 + Math.trunc(modified.nanoseconds / 1e6),
  };
}
