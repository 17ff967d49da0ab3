import type { RpcConnection } from "../../rpc/connection.ts";
import { rpcLimits } from "../../rpc/limits.ts";
import type {
  CopyRange,
  CopyResult,
  NewClone,
  NfsClient,
  NfsFeatures,
  OperationOptions,
  ReaddirOptions,
  SeekTarget,
} from "../client.ts";
import { statusError } from "../diagnosis.ts";
import type { ExportRoot } from "../export-root.ts";
import type {
  AttributeChanges,
  DirectoryPage,
  FileAttributes,
  FileHandle,
  FileName,
  FileNode,
  FileSystemSpace,
  ReadResult,
  Stability,
  WriteResult,
} from "../file.ts";
import { nfsLimits } from "../limits.ts";
import { afterChange } from "../nfs-error.ts";
import { firstPosition, readPages } from "../readdir-pages.ts";
import { type Request, type RequestDefaults, requestOf } from "../request.ts";
import { status } from "../status.ts";
import type { Renaming, Step, StepsOutcome } from "../steps.ts";
import { copied, type Take, tried } from "../taking.ts";
import { access } from "./access.ts";
import { commit } from "./commit.ts";
import { createNew } from "./create.ts";
import type { ServerLimits } from "./fsinfo.ts";
import { fsstat } from "./fsstat.ts";
import { getattr } from "./getattr.ts";
import { inOrder } from "./in-order.ts";
import { link } from "./link.ts";
import { type Found, lookup } from "./lookup.ts";
import { type Made, mkdir } from "./mkdir.ts";
import { read } from "./read.ts";
import { readdir } from "./readdir.ts";
import { readlink } from "./readlink.ts";
import { remove, rmdir } from "./remove.ts";
import { removeMany } from "./remove-many.ts";
import { rename } from "./rename.ts";
import { renameMany } from "./rename-many.ts";
import type { ProcedureRunner } from "./runner.ts";
import { setattr } from "./setattr.ts";
import { symlink } from "./symlink.ts";
import { write } from "./write.ts";
import { writeNew } from "./write-new.ts";

/** `NfsClient` over v3: each method is one procedure, or a few. */
export class Nfs3Client implements NfsClient {
  readonly name: string;
  readonly features: NfsFeatures;
  readonly #root: ExportRoot;
  readonly #connection: RpcConnection;
  readonly #runner: ProcedureRunner;
  readonly #defaults: RequestDefaults;

  constructor(
    connection: RpcConnection,
    runner: ProcedureRunner,
    defaults: RequestDefaults,
    root: ExportRoot,
    limits: ServerLimits,
  ) {
    this.name = defaults.server;
    this.#connection = connection;
    this.#runner = runner;
    this.#defaults = defaults;
    this.#root = root;
    this.features = {
      version: "3",
      readBytesMax: transferBytes(limits.readBytesMax),
      writeBytesMax: transferBytes(limits.writeBytesMax),
      callsInFlightMax: rpcLimits.callsInFlightMax,
      serverSideCopy: false,
      xattrs: false,
    };
  }

  get root(): FileNode {
    return this.#root.node;
  }

  renewRoot(): Promise<void> {
    return this.#root.renew((root) => this.getattr(root));
  }

  async lookup(directory: FileHandle, name: FileName, options?: OperationOptions): Promise<FileNode> {
    const request = requestOf(this.#defaults, options);
    return await this.#known(await this.#runner.run(lookup(directory, name), request), request);
  }

  async resolve(
    directory: FileHandle,
    names: readonly FileName[],
    options?: OperationOptions,
  ): Promise<FileNode> {
    const request = requestOf(this.#defaults, options);
    let found: Found = { handle: directory, attributes: undefined };
    for (const name of names) found = await this.#runner.run(lookup(found.handle, name), request);
    return await this.#known(found, request);
  }

  async getattr(file: FileHandle, options?: OperationOptions): Promise<FileAttributes> {
    return await this.#runner.run(getattr(file), requestOf(this.#defaults, options));
  }

  async setattr(file: FileHandle, changes: AttributeChanges, options?: OperationOptions): Promise<void> {
    await this.#runner.run(setattr(file, changes), requestOf(this.#defaults, options));
  }

  async access(file: FileHandle, rights: number, options?: OperationOptions): Promise<number> {
    return await this.#runner.run(access(file, rights), requestOf(this.#defaults, options));
  }

  async mkdir(
    directory: FileHandle,
    name: FileName,
    attributes: AttributeChanges,
    options?: OperationOptions,
  ): Promise<FileNode> {
    const request = requestOf(this.#defaults, options);
    const made = await this.#runner.run(mkdir(directory, name, attributes), request);
    return await this.#made(made, directory, name, request);
  }

  async create(
    directory: FileHandle,
    name: FileName,
    attributes: AttributeChanges,
    content?: Uint8Array,
    options?: OperationOptions,
  ): Promise<FileNode> {
    const request = requestOf(this.#defaults, options);
    const made = await this.#runner.run(createNew(directory, name, attributes), request);
    const node = await this.#made(made, directory, name, request);
    if (content === undefined || content.length === 0) return node;
    try {
      return await writeNew(this.#runner, node.handle, content, this.features.writeBytesMax, request);
    } catch (error) {
      throw afterChange(error);
    }
  }

  async read(
    file: FileHandle,
    offset: bigint,
    lengthBytes: number,
    options?: OperationOptions,
  ): Promise<ReadResult> {
    return await this.readInPlace(file, offset, lengthBytes, copied, options);
  }

  async readInPlace<Data>(
    file: FileHandle,
    offset: bigint,
    lengthBytes: number,
    take: Take<Data>,
    options?: OperationOptions,
  ): Promise<ReadResult<Data>> {
    const bytes = Math.min(lengthBytes, this.features.readBytesMax);
    const request = requestOf(this.#defaults, options);
    const reading = read(file, offset, bytes, tried(take));
    const { data, eof } = await this.#runner.run(reading, request);
    return { data: data(), eof };
  }

  async write(
    file: FileHandle,
    offset: bigint,
    data: Uint8Array,
    stability: Stability,
    options?: OperationOptions,
  ): Promise<WriteResult> {
    const bytes = data.subarray(0, this.features.writeBytesMax);
    return await this.#runner.run(write(file, offset, bytes, stability), requestOf(this.#defaults, options));
  }

  async commit(file: FileHandle, options?: OperationOptions): Promise<Uint8Array> {
    return await this.#runner.run(commit(file), requestOf(this.#defaults, options));
  }

  async rename(
    fromDirectory: FileHandle,
    fromName: FileName,
    toDirectory: FileHandle,
    toName: FileName,
    options?: OperationOptions,
  ): Promise<void> {
    const procedure = rename(fromDirectory, fromName, toDirectory, toName);
    await this.#runner.run(procedure, requestOf(this.#defaults, options));
  }

  async renameMany(
    renamings: readonly Renaming[],
    options?: OperationOptions,
  ): Promise<ReadonlyMap<number, Error>> {
    return await renameMany(this.#runner, renamings, requestOf(this.#defaults, options));
  }

  inOrder(steps: readonly Step[], options?: OperationOptions): Promise<StepsOutcome> {
    return inOrder(this, steps, options);
  }

  async remove(directory: FileHandle, name: FileName, options?: OperationOptions): Promise<void> {
    await this.#runner.run(remove(directory, name), requestOf(this.#defaults, options));
  }

  async removeFile(directory: FileHandle, name: FileName, options?: OperationOptions): Promise<void> {
    const { attributes } = await this.lookup(directory, name, options);
    if (attributes.type === "directory") {
      const { site } = requestOf(this.#defaults, options);
      throw statusError({ ...site, operation: "REMOVE" }, status.isdir, "not-done");
    }
    await this.remove(directory, name, options);
  }

  async rmdir(directory: FileHandle, name: FileName, options?: OperationOptions): Promise<void> {
    await this.#runner.run(rmdir(directory, name), requestOf(this.#defaults, options));
  }

  async removeMany(
    directory: FileHandle,
    names: readonly FileName[],
    options?: OperationOptions,
  ): Promise<ReadonlyMap<number, Error>> {
    return await removeMany(this.#runner, directory, names, requestOf(this.#defaults, options));
  }

  async link(
    file: FileHandle,
    directory: FileHandle,
    name: FileName,
    options?: OperationOptions,
  ): Promise<void> {
    await this.#runner.run(link(file, directory, name), requestOf(this.#defaults, options));
  }

  async symlink(
    directory: FileHandle,
    name: FileName,
    target: FileName,
    attributes: AttributeChanges,
    options?: OperationOptions,
  ): Promise<FileNode> {
    const request = requestOf(this.#defaults, options);
    const made = await this.#runner.run(symlink(directory, name, target, attributes), request);
    return await this.#made(made, directory, name, request);
  }

  async readlink(file: FileHandle, options?: OperationOptions): Promise<FileName> {
    return await this.#runner.run(readlink(file), requestOf(this.#defaults, options));
  }

  readdir(directory: FileHandle, options: ReaddirOptions = {}): AsyncIterable<DirectoryPage> {
    const { from = firstPosition, detail = "all" } = options;
    const pageBytes = Math.min(this.features.readBytesMax, nfsLimits.pageBytesMax);
    const site = { ...requestOf(this.#defaults, options).site, operation: "READDIRPLUS" };
    return readPages(from, site, (position) => {
      const page = readdir(directory, position, detail, pageBytes);
      return this.#runner.run(page, requestOf(this.#defaults, options));
    });
  }

  async fsstat(directory: FileHandle, options?: OperationOptions): Promise<FileSystemSpace> {
    return await this.#runner.run(fsstat(directory), requestOf(this.#defaults, options));
  }

  clone(
    _source: FileHandle,
    _target: FileHandle,
    _range: CopyRange,
    options?: OperationOptions,
  ): Promise<void> {
    return this.#unsupported("CLONE", options);
  }

  cloneNew(_clone: NewClone, options?: OperationOptions): Promise<void> {
    return this.#unsupported("CLONE", options);
  }

  copy(
    _source: FileHandle,
    _target: FileHandle,
    _range: CopyRange,
    options?: OperationOptions,
  ): Promise<CopyResult> {
    return this.#unsupported("COPY", options);
  }

  seek(
    _file: FileHandle,
    _offset: bigint,
    _target: SeekTarget,
    options?: OperationOptions,
  ): Promise<bigint | undefined> {
    return this.#unsupported("SEEK", options);
  }

  listXattrs(_file: FileHandle, options?: OperationOptions): Promise<readonly string[]> {
    return this.#unsupported("LISTXATTRS", options);
  }

  getXattr(_file: FileHandle, _name: string, options?: OperationOptions): Promise<Uint8Array> {
    return this.#unsupported("GETXATTR", options);
  }

  setXattr(_file: FileHandle, _name: string, _value: Uint8Array, options?: OperationOptions): Promise<void> {
    return this.#unsupported("SETXATTR", options);
  }

  close(): Promise<void> {
    this.#connection.close();
    return Promise.resolve();
  }

  /** v3 lets a server leave out the attributes: then they are asked for. */
  async #known({ handle, attributes }: Found, request: Request): Promise<FileNode> {
    return { handle, attributes: attributes ?? (await this.#runner.run(getattr(handle), request)) };
  }

  async #made(made: Made, directory: FileHandle, name: FileName, request: Request): Promise<FileNode> {
    const { handle, attributes } = made;
    if (handle !== undefined) return await this.#known({ handle, attributes }, request);
    return await this.#known(await this.#runner.run(lookup(directory, name), request), request);
  }

  /** What v3 does not have is refused here, as a server would. */
  #unsupported(operation: string, options?: OperationOptions): Promise<never> {
    const { site } = requestOf(this.#defaults, options);
    return Promise.reject(statusError({ ...site, operation }, status.notsupp, "not-done"));
  }
}

function transferBytes(serverBytesMax: number): number {
  return Math.min(
    serverBytesMax === 0 ? nfsLimits.transferBytesMax : serverBytesMax,
    nfsLimits.transferBytesMax,
  );
}
