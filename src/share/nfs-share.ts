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
  type OperationOptions,
} from "../nfs/index.ts";
import { removeTree } from "../nfs/trees/remove.ts";
import { usageOfTree } from "../nfs/trees/usage.ts";
import { DirectoryGates } from "./directory-gates.ts";
import { LazyClient } from "./lazy-client.ts";
import { NfsHandles } from "./nfs-handles.ts";
import { type Disturbance, type Move, type Place, RenameBatches, signalOfAll } from "./rename-batches.ts";
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

export interface NfsShareOptions {
  /** The name that the configuration gives it. */
  readonly name: string;
  readonly connect: ConnectOptions;
  /** Directories that most operations pass and nobody renames: their handles are remembered. */
  readonly kept?: readonly SharePath[];
  /** Directories in each of whose subdirectories one operation works at a time. */
  readonly holders?: readonly SharePath[];
}

/** Only whoever keeps the share reads its records. */
const newFileMode = 0o600;
/** Handles of files on their way to another name. */
const madeFilesMax = 1024;

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
  /** Files of unique names that were made a moment ago, to be linked and removed: the one made first goes first. */
  readonly #made = new Map<SharePath, FileHandle>();

  constructor({ name, connect, kept = [], holders = [] }: NfsShareOptions) {
    this.name = `share ${name} (${connect.host}:${connect.path})`;
    this.#kept = new Set(kept);
    this.#holders = new Set(holders);
    this.#client = new LazyClient((signal) => connectNfs({ ...connect, signal }));
  }

  async stat(path: SharePath, signal?: AbortSignal): Promise<FileStat> {
    return fileStat((await this.#lookup(path, signal)).attributes);
  }

  async *list(path: SharePath, signal?: AbortSignal): AsyncIterable<ShareEntry> {
    const { client } = await this.#open(signal);
    const options = optionsOf(path, signal);
    const { handle } = await this.#lookup(path, signal);
    for await (const { entries } of client.readdir(handle, options)) {
      for (const entry of entries) {
        const { name } = entry;
        if (typeof name === "string") yield { name, type: await typeOf(client, handle, entry, options) };
      }
    }
  }

  async readFile(path: SharePath, bytesMax: number, signal?: AbortSignal): Promise<Uint8Array> {
    const handles = await this.#open(signal);
    const options = optionsOf(path, signal);
    const way = this.#wayIn(this.#split(path).parent);
    const { handle, attributes, ...first } = await this.#gates.beside(way, () =>
      handles.read(path, bytesMax + 1, options),
    );
    if (attributes.type !== "file") throw this.#error("storage-unsupported", path, "is no regular file");
    const pieces = [first.data];
    let done = first.data.length;
    for (let { data, eof } = first; done <= bytesMax && !eof && data.length > 0; done += data.length) {
      ({ data, eof } = await handles.client.read(handle, BigInt(done), bytesMax + 1 - done, options));
      pieces.push(data);
    }
    if (done > bytesMax) throw this.#error("storage-too-large", path, `is larger than ${bytesMax} bytes`);
    return Buffer.concat(pieces);
  }

  createFile(path: SharePath, content: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.#at(path, signal, async (client, parent, name, options) => {
      const first = content.subarray(0, client.features.writeBytesMax);
      const { handle } = await client.create(parent, name, { mode: newFileMode }, first, options);
      this.#remember(path, handle);
      for (let done = first.length; done < content.length; ) {
        const rest = content.subarray(done);
        done += (await client.write(handle, BigInt(done), rest, "file-sync", options)).writtenBytes;
      }
    });
  }

  async link(existing: SharePath, created: SharePath, signal?: AbortSignal): Promise<void> {
    const handle = this.#made.get(existing) ?? (await this.#lookup(existing, signal)).handle;
    await this.#at(created, signal, (client, parent, name, options) =>
      client.link(handle, parent, name, { ...options, path: existing, newPath: created }),
    );
  }

  async createLinked(
    path: SharePath,
    content: Uint8Array,
    created: SharePath,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#between(path, created, signal, async (handles, parent, name, options) => {
      const target = await handles.below(this.#split(created), options);
      const attributes = { mode: newFileMode };
      const handle = await handles.client.createLinked(parent, name, attributes, content, target, options);
      this.#remember(path, handle);
    });
  }

  async moveFile(existing: SharePath, created: SharePath, signal?: AbortSignal): Promise<void> {
    const file = this.#made.get(existing) ?? (await this.#lookup(existing, signal)).handle;
    await this.#between(existing, created, signal, async (handles, parent, name, options) => {
      const target = await handles.below(this.#split(created), options);
      await handles.client.moveFile(file, parent, name, target, options);
    });
    this.#made.delete(existing);
  }

  makeDirectory(path: SharePath, mode: number, signal?: AbortSignal): Promise<FileStat> {
    return this.#at(path, signal, async (client, parent, name, options) => {
      const { handle, attributes } = await client.mkdir(parent, name, { mode }, options);
      if (attributes.mode === mode) return fileStat(attributes);
      await client.setattr(handle, { mode }, options); // servers may leave out set-uid, set-gid and sticky
      return fileStat(await client.getattr(handle, options));
    });
  }

  async setAttributes(path: SharePath, attributes: Attributes, signal?: AbortSignal): Promise<void> {
    const { client } = await this.#open(signal);
    const { handle, attributes: has } = await this.#lookup(path, signal);
    const options = optionsOf(path, signal);
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
    for (const path of [from, to]) this.#made.delete(path);
    const [source, target] = [this.#split(from), this.#split(to)];
    await this.#renames.run({ source, target, path: from, newPath: to, signal });
  }

  removeFile(path: SharePath, signal?: AbortSignal): Promise<void> {
    return this.#at(path, signal, async (client, parent, name, options) => {
      if (this.#made.delete(path)) await client.remove(parent, name, options);
      else await client.removeFile(parent, name, options);
    });
  }

  removeDirectory(path: SharePath, signal?: AbortSignal): Promise<void> {
    return this.#at(path, signal, (client, parent, name, options) => client.rmdir(parent, name, options));
  }

  async removeTree(path: SharePath, options: TreeOptions = {}): Promise<TreeProgress> {
    const handles = await this.#open(options.signal);
    const { parent, name } = this.#split(path);
    try {
      // Beside everything: it may take hours.
      const { entries } = await handles.with(parent, optionsOf(path, options.signal), (directory) =>
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

  #remember(path: SharePath, handle: FileHandle): void {
    const [oldest] = this.#made.keys();
    if (this.#made.size >= madeFilesMax && oldest !== undefined) this.#made.delete(oldest);
    this.#made.set(path, handle);
  }

  async #lookup(path: SharePath, signal: AbortSignal | undefined): Promise<FileNode> {
    if (path === shareRoot) return await this.#root(signal);
    const handles = await this.#open(signal);
    return await this.#gates.beside(this.#wayIn(this.#split(path).parent), () =>
      handles.node(path, optionsOf(path, signal)),
    );
  }

  #root(signal: AbortSignal | undefined): Promise<FileNode> {
    return this.#with(shareRoot, signal, async (client, handle, options) => {
      return { handle, attributes: await client.getattr(handle, options) };
    });
  }

  /** Runs an operation on a name in its directory. */
  async #at<R>(
    path: SharePath,
    signal: AbortSignal | undefined,
    operation: (client: NfsClient, parent: FileHandle, name: string, options: OperationOptions) => Promise<R>,
  ): Promise<R> {
    const { parent, name } = this.#split(path);
    const handles = await this.#open(signal);
    const options = optionsOf(path, signal);
    return await this.#gates.beside(this.#wayIn(parent), () =>
      handles.with(parent, options, (directory) => operation(handles.client, directory, name, options)),
    );
  }

  /** Runs an operation on a name in its directory, and on one in another. */
  async #between(
    path: SharePath,
    other: SharePath,
    signal: AbortSignal | undefined,
    operation: (
      handles: NfsHandles,
      parent: FileHandle,
      name: string,
      options: OperationOptions,
    ) => Promise<void>,
  ): Promise<void> {
    const { parent, name } = this.#split(path);
    const handles = await this.#open(signal);
    const options = optionsOf(path, signal);
    const ways = [...this.#wayIn(parent), ...this.#wayIn(this.#split(other).parent)];
    await this.#gates.beside([...new Set(ways)].sort(), () =>
      handles.with(parent, options, (directory) =>
        operation(handles, directory, name, { ...options, newPath: other }),
      ),
    );
  }

  /** Runs an operation on a directory. */
  async #with<R>(
    path: SharePath,
    signal: AbortSignal | undefined,
    operation: (client: NfsClient, directory: FileHandle, options: OperationOptions) => Promise<R>,
  ): Promise<R> {
    const handles = await this.#open(signal);
    const options = optionsOf(path, signal);
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

function optionsOf(path: SharePath, signal: AbortSignal | undefined): OperationOptions {
  return signal === undefined ? { path } : { path, signal };
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
