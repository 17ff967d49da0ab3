import type { RpcConnection } from "../../rpc/connection.ts";
import type {
  CopyRange,
  CopyResult,
  NewClone,
  NfsClient,
  NfsFeatures,
  OperationOptions,
  ReaddirOptions,
  SeekTarget,
  ServerCopyOptions,
} from "../client.ts";
import { type Site, statusError } from "../diagnosis.ts";
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
import { firstPosition, readPages } from "../readdir-pages.ts";
import { type RequestDefaults, requestOf } from "../request.ts";
import { status } from "../status.ts";
import { isLook, type Renaming, type Step, type StepsOutcome } from "../steps.ts";
import { copied, type Take, tried } from "../taking.ts";
import { access } from "./access.ts";
import { clone } from "./clone.ts";
import { cloneNew, clonesPerCompound } from "./clone-new.ts";
import { commit } from "./commit.ts";
import { copyAll } from "./copy-all.ts";
import { closeNew, openNew } from "./create.ts";
import { getfh, putfh, savefh } from "./filehandle.ts";
import { fsstat } from "./fsstat.ts";
import { Gather } from "./gather.ts";
import { getattr } from "./getattr.ts";
import { fitting, inOrder, type LookTask, lookInCompany } from "./in-order.ts";
import { link } from "./link.ts";
import { mkdir } from "./mkdir.ts";
import { read } from "./read.ts";
import { readdir } from "./readdir.ts";
import { readlink } from "./readlink.ts";
import { remove } from "./remove.ts";
import { removeMany } from "./remove-many.ts";
import { rename } from "./rename.ts";
import { renameMany } from "./rename-many.ts";
import { resolve } from "./resolve.ts";
import type { Task } from "./run-each.ts";
import type { CompoundRunner } from "./runner.ts";
import { seek } from "./seek.ts";
import { setattr } from "./setattr.ts";
import { symlink } from "./symlink.ts";
import { write } from "./write.ts";
import { type Made, writeNew } from "./write-new.ts";
import { type firstXattrs, getxattr, listAllXattrs, setxattr, xattrListsPerCompound } from "./xattr.ts";

/** `NfsClient` over v4.1 and v4.2: each method is one compound, or a few. */
export class Nfs4Client implements NfsClient {
  readonly name: string;
  readonly features: NfsFeatures;
  readonly #root: ExportRoot;
  readonly #connection: RpcConnection;
  readonly #runner: CompoundRunner;
  readonly #defaults: RequestDefaults;
  readonly #clones: Gather<Task<ReturnType<typeof cloneNew>>>;
  readonly #xattrLists: Gather<Task<ReturnType<typeof firstXattrs>>>;
  readonly #looks: Gather<LookTask>;

  constructor(
    connection: RpcConnection,
    runner: CompoundRunner,
    defaults: RequestDefaults,
    root: ExportRoot,
    features: NfsFeatures,
  ) {
    this.name = defaults.server;
    this.#connection = connection;
    this.#runner = runner;
    this.#defaults = defaults;
    this.#root = root;
    this.features = features;
    this.#clones = new Gather(runner, () => clonesPerCompound(runner));
    this.#xattrLists = new Gather(runner, () => xattrListsPerCompound(runner));
    this.#looks = new Gather(runner, (looks) =>
      fitting(
        runner,
        looks.map(({ plan }) => plan),
      ),
    );
  }

  get root(): FileNode {
    return this.#root.node;
  }

  renewRoot(): Promise<void> {
    return this.#root.renew((root) => this.getattr(root));
  }

  lookup(directory: FileHandle, name: FileName, options?: OperationOptions): Promise<FileNode> {
    return this.resolve(directory, [name], options);
  }

  resolve(directory: FileHandle, names: readonly FileName[], options?: OperationOptions): Promise<FileNode> {
    return resolve(this.#runner, putfh(directory), names, requestOf(this.#defaults, options));
  }

  async getattr(file: FileHandle, options?: OperationOptions): Promise<FileAttributes> {
    const [, attributes] = await this.#runner.run([putfh(file), getattr], requestOf(this.#defaults, options));
    return attributes;
  }

  async setattr(file: FileHandle, changes: AttributeChanges, options?: OperationOptions): Promise<void> {
    await this.#runner.run([putfh(file), setattr(changes)], requestOf(this.#defaults, options));
  }

  async access(file: FileHandle, rights: number, options?: OperationOptions): Promise<number> {
    const request = requestOf(this.#defaults, options);
    const [, granted] = await this.#runner.run([putfh(file), access(rights)], request);
    return granted;
  }

  async mkdir(
    directory: FileHandle,
    name: FileName,
    attributes: AttributeChanges,
    options?: OperationOptions,
  ): Promise<FileNode> {
    const operations = [putfh(directory), mkdir(name, attributes), getfh, getattr] as const;
    const [, , handle, made] = await this.#runner.run(operations, requestOf(this.#defaults, options));
    return { handle, attributes: made };
  }

  async create(
    directory: FileHandle,
    name: FileName,
    attributes: AttributeChanges,
    content?: Uint8Array,
    options?: OperationOptions,
  ): Promise<FileNode> {
    const request = requestOf(this.#defaults, options);
    const made = this.#newFile(directory, name, attributes);
    if (content === undefined || content.length === 0) {
      const [, , , handle, now] = await this.#runner.run([...made, getattr], request);
      return { handle, attributes: now };
    }
    return await writeNew(this.#runner, made, content, request);
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
    const reading = read(offset, bytes, tried(take));
    const [, { data, eof }] = await this.#runner.run([putfh(file), reading], request);
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
    const request = requestOf(this.#defaults, options);
    const [, result] = await this.#runner.run([putfh(file), write(offset, bytes, stability)], request);
    return result;
  }

  async commit(file: FileHandle, options?: OperationOptions): Promise<Uint8Array> {
    const [, verifier] = await this.#runner.run([putfh(file), commit], requestOf(this.#defaults, options));
    return verifier;
  }

  async rename(
    fromDirectory: FileHandle,
    fromName: FileName,
    toDirectory: FileHandle,
    toName: FileName,
    options?: OperationOptions,
  ): Promise<void> {
    const operations = [putfh(fromDirectory), savefh, putfh(toDirectory), rename(fromName, toName)];
    await this.#runner.run(operations, requestOf(this.#defaults, options));
  }

  async renameMany(
    renamings: readonly Renaming[],
    options?: OperationOptions,
  ): Promise<ReadonlyMap<number, Error>> {
    return await renameMany(this.#runner, renamings, requestOf(this.#defaults, options));
  }

  inOrder(steps: readonly Step[], options?: OperationOptions): Promise<StepsOutcome> {
    const request = requestOf(this.#defaults, options);
    const [first] = steps;
    if (steps.length === 1 && first !== undefined && isLook(first))
      return lookInCompany(this.#runner, this.#looks, first, request);
    return inOrder(this.#runner, steps, request);
  }

  async remove(directory: FileHandle, name: FileName, options?: OperationOptions): Promise<void> {
    await this.#runner.run([putfh(directory), remove(name)], requestOf(this.#defaults, options));
  }

  removeFile(directory: FileHandle, name: FileName, options?: OperationOptions): Promise<void> {
    return this.#removeOne(directory, name, "file", options);
  }

  rmdir(directory: FileHandle, name: FileName, options?: OperationOptions): Promise<void> {
    return this.#removeOne(directory, name, "directory", options);
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
    const operations = [putfh(file), savefh, putfh(directory), link(name)];
    await this.#runner.run(operations, requestOf(this.#defaults, options));
  }

  async symlink(
    directory: FileHandle,
    name: FileName,
    target: FileName,
    attributes: AttributeChanges,
    options?: OperationOptions,
  ): Promise<FileNode> {
    const operations = [putfh(directory), symlink(name, target, attributes), getfh, getattr] as const;
    const [, , handle, made] = await this.#runner.run(operations, requestOf(this.#defaults, options));
    return { handle, attributes: made };
  }

  async readlink(file: FileHandle, options?: OperationOptions): Promise<FileName> {
    const [, target] = await this.#runner.run([putfh(file), readlink], requestOf(this.#defaults, options));
    return target;
  }

  readdir(directory: FileHandle, options: ReaddirOptions = {}): AsyncIterable<DirectoryPage> {
    const { from = firstPosition, detail = "all" } = options;
    const pageBytes = Math.min(this.features.readBytesMax, nfsLimits.pageBytesMax);
    const site = { ...requestOf(this.#defaults, options).site, operation: "READDIR" };
    return readPages(from, site, async (position) => {
      const operations = [putfh(directory), readdir(position, detail, pageBytes)] as const;
      const [, page] = await this.#runner.run(operations, requestOf(this.#defaults, options));
      return page;
    });
  }

  async fsstat(directory: FileHandle, options?: OperationOptions): Promise<FileSystemSpace> {
    const [, space] = await this.#runner.run([putfh(directory), fsstat], requestOf(this.#defaults, options));
    return space;
  }

  async clone(
    source: FileHandle,
    target: FileHandle,
    range: CopyRange,
    options?: OperationOptions,
  ): Promise<void> {
    const operations = [putfh(source), savefh, putfh(target), clone(range)];
    const request = requestOf(this.#defaults, options);
    this.#needMinorTwo("CLONE", request);
    await this.#runner.run(operations, request);
  }

  async cloneNew(clone: NewClone, options?: OperationOptions): Promise<void> {
    const request = requestOf(this.#defaults, options);
    this.#needMinorTwo("CLONE", request);
    if (clonesPerCompound(this.#runner) < 1) throw unsupported({ ...request.site, operation: "CLONE" });
    await this.#clones.run({ operations: cloneNew(this.#runner.clientId, clone), request });
  }

  async copy(
    source: FileHandle,
    target: FileHandle,
    range: CopyRange,
    options?: ServerCopyOptions,
  ): Promise<CopyResult> {
    const request = requestOf(this.#defaults, options);
    this.#needMinorTwo("COPY", request);
    return await copyAll(this.#runner, source, target, range, request, options?.onCopied);
  }

  async seek(
    file: FileHandle,
    offset: bigint,
    target: SeekTarget,
    options?: OperationOptions,
  ): Promise<bigint | undefined> {
    const request = requestOf(this.#defaults, options);
    this.#needMinorTwo("SEEK", request);
    const operations = [putfh(file), seek(offset, target)] as const;
    const reply = await this.#runner.attempt(operations, request);
    if (reply.status === "ok") return reply.results[1].offset;
    if (reply.code === status.nxio) return undefined;
    throw this.#runner.failure(operations, reply, request);
  }

  async listXattrs(file: FileHandle, options?: OperationOptions): Promise<readonly string[]> {
    const request = requestOf(this.#defaults, options);
    this.#needMinorTwo("LISTXATTRS", request);
    return await listAllXattrs(this.#runner, this.#xattrLists, file, request);
  }

  async getXattr(file: FileHandle, name: string, options?: OperationOptions): Promise<Uint8Array> {
    const request = requestOf(this.#defaults, options);
    this.#needMinorTwo("GETXATTR", request);
    const [, value] = await this.#runner.run([putfh(file), getxattr(name)], request);
    return value;
  }

  async setXattr(
    file: FileHandle,
    name: string,
    value: Uint8Array,
    options?: OperationOptions,
  ): Promise<void> {
    const request = requestOf(this.#defaults, options);
    this.#needMinorTwo("SETXATTR", request);
    await this.#runner.run([putfh(file), setxattr(name, value)], request);
  }

  async close(): Promise<void> {
    await this.#runner.close();
    this.#connection.close();
  }

  async #removeOne(
    directory: FileHandle,
    name: FileName,
    type: "file" | "directory",
    options: OperationOptions | undefined,
  ): Promise<void> {
    const at = { directory, way: [], name };
    const { failure } = await this.inOrder([{ kind: "remove", at, type }], options);
    if (failure !== undefined) throw failure;
  }

  #newFile(directory: FileHandle, name: FileName, attributes: AttributeChanges): Made {
    return [putfh(directory), openNew(this.#runner.clientId, name, attributes), closeNew, getfh];
  }

  /** What v4.1 does not have is refused here, as a server would. */
  #needMinorTwo(operation: string, { site }: ReturnType<typeof requestOf>): void {
    if (this.features.version !== "4.2") throw unsupported({ ...site, operation });
  }
}

function unsupported(site: Site): Error {
  return statusError(site, status.notsupp, "not-done");
}
