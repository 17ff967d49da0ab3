import type { Credentials } from "../rpc/auth-sys.ts";
import type {
  AttributeChanges,
  DirectoryPage,
  DirectoryPosition,
  FileAttributes,
  FileHandle,
  FileName,
  FileNode,
  FileSystemSpace,
  ReadResult,
  Stability,
  WriteResult,
} from "./file.ts";
import type { Renaming, Step, StepsOutcome } from "./steps.ts";

/** What every operation takes. All of it has defaults from `ConnectOptions`. */
export interface OperationOptions {
  readonly signal?: AbortSignal;
  /** How long the operation may take, with all its retries. It ends by then, whatever the server does. */
  readonly timeoutMs?: number;
  /** Whom to act as (RFC 5531 §8.2), such as a tree's owner where root is squashed. */
  readonly credentials?: Credentials;
  /** How errors name what this is about: the path, which a handle does not tell. */
  readonly path?: string;
  /** Likewise the path that it gets, where it gets another. */
  readonly newPath?: string;
}

/**
 * What is told of a directory's entries: their `names` and fileids (v3 READDIR); in `brief` their attributes too, and the
 * handles of directories; or the handles of `all`, which costs more CPU and memory.
 */
export type EntryDetail = "names" | "brief" | "all";

export interface ReaddirOptions extends OperationOptions {
  /** Default "all". */
  readonly detail?: EntryDetail;
  /** Where to begin; default the first entry. */
  readonly from?: DirectoryPosition;
}

/** What the server admits and can do; all bounds are its own, within ours. */
export interface NfsFeatures {
  readonly version: "3" | "4.1" | "4.2";
  readonly readBytesMax: number;
  readonly writeBytesMax: number;
  /** Calls that are worth having in flight: v4 slots (RFC 8881 §2.10.6), or our own bound. */
  readonly callsInFlightMax: number;
  /** Whether CLONE and COPY exist in this version; a file system may still refuse them. */
  readonly serverSideCopy: boolean;
  /** Whether the export's file system has extended attributes (RFC 8276). */
  readonly xattrs: boolean;
}

export interface ServerCopyOptions extends OperationOptions {
  /** Told of each piece that the server has copied, before it is durable. */
  readonly onCopied?: (bytes: bigint) => void;
}

/** What one range copy did. */
export interface CopyResult {
  readonly copiedBytes: bigint;
}

/** What SEEK looks for (RFC 7862 §15.11). */
export type SeekTarget = "data" | "hole";

/** Bytes of one file to put into another. */
export interface CopyRange {
  readonly sourceOffset: bigint;
  readonly targetOffset: bigint;
  /** 0 means up to the end of the source (RFC 7862 §15.2, §15.13). */
  readonly lengthBytes: bigint;
}

/** A file to be made from all of another. Extended attributes are not cloned. */
export interface NewClone {
  readonly source: FileHandle;
  readonly directory: FileHandle;
  readonly name: FileName;
  /** What it is made with. */
  readonly created: AttributeChanges;
  /** What it gets when it has its content. */
  readonly whole: AttributeChanges;
}

/**
 * One export of one server, over v3 (RFC 1813) or v4.1 and later (RFC 8881, 7862). Thousands of
 * operations may be in flight; they go out in order but may be done in any.
 *
 * Every failure is an `NfsError`. Its `outcome` says what is known: "not-done", "unknown" after a
 * lost answer, or "done" where a change was made but a later part of the same request failed. What is safe to send
 * again is sent again until `timeoutMs`: over a cut connection, a restarted server, a grace period.
 * Nothing follows a symbolic link.
 */
export interface NfsClient {
  /** `server:/path`, as messages name it. */
  readonly name: string;
  readonly features: NfsFeatures;
  /** The directory that the client was connected to. */
  readonly root: FileNode;

  /**
   * Looks the root up anew, by its path, if its handle is stale: a server whose disk was restored or exchanged does
   * not know the old one any more.
   */
  renewRoot(): Promise<void>;

  /** Follows no symbolic link (RFC 1813 §3.3.3, RFC 8881 §18.13). @throws `storage-no-entry`, `storage-not-a-directory` */
  lookup(directory: FileHandle, name: FileName, options?: OperationOptions): Promise<FileNode>;

  /** `lookup` of one name after the other, in as few round trips as the server admits. At least one name. */
  resolve(directory: FileHandle, names: readonly FileName[], options?: OperationOptions): Promise<FileNode>;

  /** RFC 1813 §3.3.1, RFC 8881 §18.7. */
  getattr(file: FileHandle, options?: OperationOptions): Promise<FileAttributes>;

  /** RFC 1813 §3.3.2, RFC 8881 §18.30; what is absent stays as it is. */
  setattr(file: FileHandle, changes: AttributeChanges, options?: OperationOptions): Promise<void>;

  /** The rights of these that the caller has (RFC 1813 §3.3.4, RFC 8881 §18.1): bits of `accessRights`. */
  access(file: FileHandle, rights: number, options?: OperationOptions): Promise<number>;

  /** RFC 1813 §3.3.9, RFC 8881 §18.4. @throws `storage-exists` whatever is there */
  mkdir(
    directory: FileHandle,
    name: FileName,
    attributes: AttributeChanges,
    options?: OperationOptions,
  ): Promise<FileNode>;

  /**
   * A new file with its first bytes, durable when it returns: at most `features.writeBytesMax` of
   * them (CREATE, RFC 1813 §3.3.8; OPEN, RFC 8881 §18.16). In v4 all in one request. After a failure with outcome "done" the file is there without them.
   * @throws `storage-exists` whatever is there
   */
  create(
    directory: FileHandle,
    name: FileName,
    attributes: AttributeChanges,
    content?: Uint8Array,
    options?: OperationOptions,
  ): Promise<FileNode>;

  /** RFC 1813 §3.3.6, RFC 8881 §18.22. @throws `storage-unsupported` for what is no regular file */
  read(
    file: FileHandle,
    offset: bigint,
    lengthBytes: number,
    options?: OperationOptions,
  ): Promise<ReadResult>;

  /**
   * As `read`, without a copy: `take` is given the bytes where they came in, and they are overwritten when it
   * returns. It is called once at most, and not after the read has rejected; what it throws, the read rejects with.
   */
  readInPlace<Data>(
    file: FileHandle,
    offset: bigint,
    lengthBytes: number,
    take: (bytes: Uint8Array) => Data,
    options?: OperationOptions,
  ): Promise<ReadResult<Data>>;

  /**
   * RFC 1813 §3.3.7, RFC 8881 §18.32. `data` is not copied: it must not change until this returns, nor after it failed with outcome "unknown",
   * for it may still be sent then.
   */
  write(
    file: FileHandle,
    offset: bigint,
    data: Uint8Array,
    stability: Stability,
    options?: OperationOptions,
  ): Promise<WriteResult>;

  /** Makes everything written durable (RFC 1813 §3.3.21, RFC 8881 §18.3). Returns the verifier to compare with those of the writes. */
  commit(file: FileHandle, options?: OperationOptions): Promise<Uint8Array>;

  /** As rename(2): replaces a file, and a directory only if it is empty (RFC 1813 §3.3.14, RFC 8881 §18.26). */
  rename(
    fromDirectory: FileHandle,
    fromName: FileName,
    toDirectory: FileHandle,
    toName: FileName,
    options?: OperationOptions,
  ): Promise<void>;

  /**
   * `rename` of many names, in order and one after the other, in as few round trips as the server admits.
   * @returns the failures, by index; empty when all went well
   */
  renameMany(renamings: readonly Renaming[], options?: OperationOptions): Promise<ReadonlyMap<number, Error>>;

  /**
   * Steps one after the other up to the first that fails, in as few round trips as the server admits: in v4 one, mostly. No
   * sooner does the step after a "create" begin than the file is whole and durable. Never rejects.
   */
  inOrder(steps: readonly Step[], options?: OperationOptions): Promise<StepsOutcome>;

  /** Anything but a directory (RFC 1813 §3.3.12). In v4 one is removed too, if empty: REMOVE does not tell (RFC 8881 §18.25). */
  remove(directory: FileHandle, name: FileName, options?: OperationOptions): Promise<void>;

  /** The same that never removes a directory. @throws `storage-unsupported` for one */
  removeFile(directory: FileHandle, name: FileName, options?: OperationOptions): Promise<void>;

  /** RFC 1813 §3.3.13, RFC 8881 §18.25. @throws `storage-not-empty`, `storage-not-a-directory` */
  rmdir(directory: FileHandle, name: FileName, options?: OperationOptions): Promise<void>;

  /**
   * `remove` of many names of one directory, in as few round trips as the server admits. What is gone
   * already is no failure. @returns the failures, by index of the name; empty when all are gone
   */
  removeMany(
    directory: FileHandle,
    names: readonly FileName[],
    options?: OperationOptions,
  ): Promise<ReadonlyMap<number, Error>>;

  /** Another name for a file, made only if that name is free (RFC 1813 §3.3.15, RFC 8881 §18.9). @throws `storage-exists` */
  link(file: FileHandle, directory: FileHandle, name: FileName, options?: OperationOptions): Promise<void>;

  /** RFC 1813 §3.3.10, RFC 8881 §18.4. @throws `storage-exists` */
  symlink(
    directory: FileHandle,
    name: FileName,
    target: FileName,
    attributes: AttributeChanges,
    options?: OperationOptions,
  ): Promise<FileNode>;

  /** RFC 1813 §3.3.5, RFC 8881 §18.24. */
  readlink(file: FileHandle, options?: OperationOptions): Promise<FileName>;

  /** The directory page by page, with one page read ahead (RFC 1813 §3.3.17, RFC 8881 §18.23). */
  readdir(directory: FileHandle, options?: ReaddirOptions): AsyncIterable<DirectoryPage>;

  /** What the file system at this directory has: under a quota, what the quota leaves (RFC 1813 §3.3.18, RFC 8881 §5.8.2). */
  fsstat(directory: FileHandle, options?: OperationOptions): Promise<FileSystemSpace>;

  /**
   * Shares the source's blocks with the target (RFC 7862 §15.13): no bytes move, and all or nothing.
   * @throws `storage-unsupported` where version, server or file system cannot
   */
  clone(source: FileHandle, target: FileHandle, range: CopyRange, options?: OperationOptions): Promise<void>;

  /**
   * A new file that shares all blocks of another and then gets its attributes, in one request; those that are asked for
   * at once, by one caller, share requests. After a failure with outcome "done" the file is there, perhaps empty.
   * @throws `storage-exists` whatever is there; `storage-unsupported` as `clone`
   */
  cloneNew(clone: NewClone, options?: OperationOptions): Promise<void>;

  /**
   * Copies on the server (RFC 7862 §15.2), synchronously, in a loop until all is there, and durably.
   * @throws `storage-unsupported` where version, server or file system cannot
   */
  copy(
    source: FileHandle,
    target: FileHandle,
    range: CopyRange,
    options?: ServerCopyOptions,
  ): Promise<CopyResult>;

  /**
   * Where the next data, or the next hole, begins at or after an offset; a file ends with a hole. Undefined where
   * there is no more. @throws `storage-unsupported` where version, server or file system cannot tell (v4.2 may)
   */
  seek(
    file: FileHandle,
    offset: bigint,
    target: SeekTarget,
    options?: OperationOptions,
  ): Promise<bigint | undefined>;

  /** Names of the extended attributes in "user." (RFC 8276 §8.4.3), without that prefix. */
  listXattrs(file: FileHandle, options?: OperationOptions): Promise<readonly string[]>;

  /** RFC 8276 §8.4.1. @throws `storage-no-entry` */
  getXattr(file: FileHandle, name: string, options?: OperationOptions): Promise<Uint8Array>;

  /** RFC 8276 §8.4.2; replaces a value that is there. */
  setXattr(file: FileHandle, name: string, value: Uint8Array, options?: OperationOptions): Promise<void>;

  /** Ends the session and the connection. Calls in flight fail. */
  close(): Promise<void>;
}

/** Bits of `NfsClient.access` (RFC 1813 §3.3.4). */
export const accessRights = {
  read: 0x01,
  lookup: 0x02,
  modify: 0x04,
  extend: 0x08,
  delete: 0x10,
  execute: 0x20,
} as const;
