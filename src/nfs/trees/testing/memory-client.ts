import { BerthError, type StorageCode } from "../../../core/errors.ts";
import type {
  NewClone,
  NfsClient,
  OperationOptions,
  ReaddirOptions,
  ServerCopyOptions,
} from "../../client.ts";
import type {
  AttributeChanges,
  DirectoryEntry,
  DirectoryPage,
  FileAttributes,
  FileHandle,
  FileName,
  FileNode,
  FileType,
} from "../../file.ts";

/**
 * A file system in memory behind `NfsClient`, for tests of what no real server does on demand: other file
 * systems inside, entries without attributes, small pages, failures of chosen operations. It has what work
 * on trees needs; anything else throws.
 */
export class MemoryClient {
  readonly name = "memory:/";
  readonly features = {
    version: "4.2",
    readBytesMax: 64 * 1024,
    writeBytesMax: 64 * 1024,
    callsInFlightMax: 16,
    serverSideCopy: true,
    xattrs: false,
  } as const;
  pageEntriesMax = 7;
  /** How many entries come without attributes. */
  attributesLeftOut: (name: string) => boolean = () => false;
  /** Called before each operation; what it throws is the operation's failure. */
  onOperation: (operation: string, options: OperationOptions, name: string) => void = () => {};
  readonly #inodes = new Map<number, Inode>();
  #nextId = 1;
  readonly #root: Inode;

  constructor() {
    this.#root = this.#make("directory", {});
  }

  /** As the interface; the methods that are missing are not called by what is tested with it. */
  asClient(): NfsClient {
    return this as unknown as NfsClient;
  }

  get root(): FileNode {
    return this.#node(this.#root);
  }

  /** What a tree holds, by path: for comparison. Hard links show by the first of their paths. */
  dump(node: FileNode = this.root): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    const firstNames = new Map<number, string>();
    const visit = (inode: Inode, path: string) => {
      const first = firstNames.get(inode.id) ?? path;
      firstNames.set(inode.id, first);
      const content = Buffer.from(inode.content).toString("latin1");
      const owner = `${inode.uid}:${inode.gid} ${inode.modified.seconds}`;
      found.set(path, `${inode.type} ${inode.mode.toString(8)} ${owner} =${first} ${content}`);
      for (const [name, child] of [...inode.children].sort()) visit(child, `${path}/${name}`);
    };
    visit(this.#inode(node.handle), "");
    return found;
  }

  /** Makes something; directories on the way are made too. */
  put(
    path: string,
    type: FileType,
    changes: Partial<Pick<Inode, "mode" | "uid" | "fsid" | "content">> = {},
  ): FileNode {
    const names = path.split("/");
    const last = names.pop() ?? "";
    const parent = names.reduce((inode, name) => {
      const known = inode.children.get(name) ?? this.#make("directory", {});
      inode.children.set(name, known);
      return known;
    }, this.#root);
    const made = this.#make(type, changes);
    parent.children.set(last, made);
    return this.#node(made);
  }

  async lookup(directory: FileHandle, name: FileName, options: OperationOptions = {}): Promise<FileNode> {
    this.#begin("lookup", options, name);
    return this.#node(this.#child(directory, name));
  }

  async getattr(file: FileHandle, options: OperationOptions = {}): Promise<FileAttributes> {
    this.#begin("getattr", options);
    return this.#attributes(this.#inode(file));
  }

  async setattr(file: FileHandle, changes: AttributeChanges, options: OperationOptions = {}): Promise<void> {
    this.#begin("setattr", options);
    this.#change(this.#inode(file), changes);
  }

  async mkdir(
    directory: FileHandle,
    name: FileName,
    changes: AttributeChanges,
    options: OperationOptions = {},
  ) {
    return this.#add("mkdir", directory, name, options, this.#make("directory", changes));
  }

  async create(
    directory: FileHandle,
    name: FileName,
    changes: AttributeChanges,
    content = new Uint8Array(0),
    options: OperationOptions = {},
  ): Promise<FileNode> {
    return this.#add(
      "create",
      directory,
      name,
      options,
      this.#make("file", { ...changes, content: Buffer.from(content) }),
    );
  }

  async symlink(
    directory: FileHandle,
    name: FileName,
    target: FileName,
    changes: AttributeChanges,
    options: OperationOptions = {},
  ): Promise<FileNode> {
    const content = Buffer.from(target);
    return this.#add("symlink", directory, name, options, this.#make("symlink", { ...changes, content }));
  }

  async link(file: FileHandle, directory: FileHandle, name: FileName, options: OperationOptions = {}) {
    this.#add("link", directory, name, options, this.#inode(file));
  }

  async readlink(file: FileHandle): Promise<FileName> {
    return this.#inode(file).content.toString();
  }

  async read(file: FileHandle, offset: bigint, lengthBytes: number, options: OperationOptions = {}) {
    this.#begin("read", options);
    const { content } = this.#inode(file);
    const end = Number(offset) + lengthBytes;
    return { data: Buffer.from(content.subarray(Number(offset), end)), eof: end >= content.length };
  }

  async write(file: FileHandle, offset: bigint, data: Uint8Array, _: string, options: OperationOptions = {}) {
    this.#begin("write", options);
    this.#inode(file).content.set(data, Number(offset));
    return { writtenBytes: data.length, stability: "unstable", verifier: Buffer.alloc(8) };
  }

  async commit(): Promise<Uint8Array> {
    return Buffer.alloc(8);
  }

  async clone(
    source: FileHandle,
    target: FileHandle,
    _: unknown,
    options: OperationOptions = {},
  ): Promise<void> {
    this.#begin("clone", options);
    this.#inode(target).content = Buffer.from(this.#inode(source).content);
  }

  async cloneNew(clone: NewClone, options: OperationOptions = {}): Promise<void> {
    const { source, directory, name, whole } = clone;
    this.#begin("clone", options, name);
    const { content } = this.#inode(source);
    this.#add("create", directory, name, options, this.#make("file", { ...whole, content }));
  }

  async copy(source: FileHandle, target: FileHandle, _: unknown, options: ServerCopyOptions = {}) {
    this.#begin("copy", options);
    const content = Buffer.from(this.#inode(source).content);
    this.#inode(target).content = content;
    for (let half = 0; half < 2; half++) options.onCopied?.(BigInt(content.length) / 2n);
    return { copiedBytes: BigInt(content.length) };
  }

  async rename(
    fromDirectory: FileHandle,
    from: FileName,
    toDirectory: FileHandle,
    to: FileName,
    options: OperationOptions = {},
  ): Promise<void> {
    this.#begin("rename", options, from);
    const inode = this.#child(fromDirectory, from);
    this.#inode(fromDirectory).children.delete(String(from));
    this.#inode(toDirectory).children.set(String(to), inode);
  }

  async remove(directory: FileHandle, name: FileName, options: OperationOptions = {}): Promise<void> {
    this.#begin("remove", options, name);
    this.#child(directory, name);
    this.#inode(directory).children.delete(String(name));
  }

  async rmdir(directory: FileHandle, name: FileName, options: OperationOptions = {}): Promise<void> {
    this.#begin("rmdir", options, name);
    if (this.#child(directory, name).children.size > 0) throw failure("storage-not-empty", name);
    this.#inode(directory).children.delete(String(name));
  }

  async removeMany(directory: FileHandle, names: readonly FileName[], options: OperationOptions = {}) {
    const failures = new Map<number, Error>();
    for (const [index, name] of names.entries()) {
      await this.remove(directory, name, options).catch((error) => failures.set(index, error));
    }
    return failures;
  }

  async *readdir(directory: FileHandle, options: ReaddirOptions = {}): AsyncGenerator<DirectoryPage> {
    const inode = this.#inode(directory);
    const verifier = Buffer.alloc(8);
    let cookie = Number(options.from?.cookie ?? 0n);
    for (;;) {
      this.#begin("readdir", options);
      const rest = [...inode.children].filter(([, child]) => child.cookie > cookie);
      const entries = rest.slice(0, this.pageEntriesMax);
      if (entries.length === 0) return;
      cookie = entries.at(-1)?.[1].cookie ?? cookie;
      const page = entries.map(([name, child]) => ({
        name,
        fileid: BigInt(child.id),
        ...(this.attributesLeftOut(name) ? {} : this.#told(child, options)),
      }));
      if (rest.length <= this.pageEntriesMax) return yield { entries: page };
      yield { entries: page, next: { cookie: BigInt(cookie), verifier } };
    }
  }

  #begin(operation: string, options: OperationOptions, name: FileName = ""): void {
    if (options.signal?.aborted === true) throw new BerthError("cancelled", "cancelled");
    this.onOperation(operation, options, String(name));
  }

  #add(
    operation: string,
    directory: FileHandle,
    name: FileName,
    options: OperationOptions,
    made: Inode,
  ): FileNode {
    this.#begin(operation, options, name);
    const { children } = this.#inode(directory);
    if (children.has(String(name))) throw failure("storage-exists", name);
    children.set(String(name), made);
    return this.#node(made);
  }

  #make(type: FileType, changes: AttributeChanges & { fsid?: bigint; content?: Uint8Array }): Inode {
    const id = this.#nextId++;
    const inode: Inode = {
      ...{ id, cookie: id, type, mode: 0o755, uid: 0, gid: 0, fsid: changes.fsid ?? 1n },
      ...{
        children: new Map(),
        content: Buffer.from(changes.content ?? []),
        modified: { seconds: id, nanoseconds: 5 },
      },
    };
    this.#inodes.set(id, inode);
    this.#change(inode, changes);
    return inode;
  }

  #change(inode: Inode, changes: AttributeChanges): void {
    inode.mode = changes.mode ?? inode.mode;
    inode.uid = changes.uid ?? inode.uid;
    inode.gid = changes.gid ?? inode.gid;
    if (changes.modified !== undefined && changes.modified !== "now") inode.modified = changes.modified;
    if (changes.sizeBytes === undefined) return;
    inode.content = Buffer.concat([inode.content, Buffer.alloc(Number(changes.sizeBytes))]).subarray(
      0,
      Number(changes.sizeBytes),
    );
  }

  #inode(handle: FileHandle): Inode {
    const inode = this.#inodes.get(Number(handle));
    if (inode === undefined) throw failure("storage-stale", "");
    return inode;
  }

  #child(directory: FileHandle, name: FileName): Inode {
    const child = this.#inode(directory).children.get(String(name));
    if (child === undefined) throw failure("storage-no-entry", name);
    return child;
  }

  #told(inode: Inode, { detail }: ReaddirOptions): Pick<DirectoryEntry, "attributes" | "handle"> {
    const { attributes, handle } = this.#node(inode);
    return detail === "brief" && inode.type !== "directory" ? { attributes } : { attributes, handle };
  }

  #node(inode: Inode): FileNode {
    return { handle: String(inode.id) as FileHandle, attributes: this.#attributes(inode) };
  }

  #attributes(inode: Inode): FileAttributes {
    const { type, mode, uid, gid, fsid, modified, content } = inode;
    const sizeBytes = BigInt(content.length);
    const times = { accessed: modified, modified, changed: modified };
    const fileid = BigInt(inode.id);
    return {
      type,
      mode,
      uid,
      gid,
      fsid,
      fileid,
      sizeBytes,
      usedBytes: sizeBytes,
      change: 0n,
      links: this.#links(inode),
      ...times,
    };
  }

  #links(inode: Inode): number {
    if (inode.type !== "file") return 1;
    let links = 0;
    for (const { children } of this.#inodes.values())
      for (const child of children.values()) if (child === inode) links++;
    return links;
  }
}

interface Inode {
  readonly id: number;
  readonly cookie: number;
  readonly type: FileType;
  mode: number;
  uid: number;
  gid: number;
  readonly fsid: bigint;
  readonly children: Map<string, Inode>;
  content: Buffer;
  modified: { readonly seconds: number; readonly nanoseconds: number };
}

export function failure(code: StorageCode, name: FileName): BerthError {
  return new BerthError(code, `${code} of ${String(name)}`);
}
