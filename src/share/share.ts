import type { SharePath } from "./share-path.ts";

/** What a share says of one thing on it. Symbolic links are never followed. */
export interface FileStat {
  readonly type: "directory" | "file" | "symlink" | "other";
  /** Of the file system, and of the file in it: together what the thing is, whatever its name (RFC 1813 §2.5). */
  readonly fsid: bigint;
  readonly fileid: bigint;
  /** Permission bits with set-uid, set-gid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: bigint;
  readonly modifiedMs: number;
}

export interface ShareEntry {
  readonly name: string;
  readonly type: FileStat["type"];
}

/** What the file system at a path has. */
export interface Space {
  readonly totalBytes: bigint;
  /** What an unprivileged user could still write. */
  readonly availableBytes: bigint;
  readonly totalInodes: bigint;
  readonly availableInodes: bigint;
}

/** How far work on a tree has come. */
export interface TreeProgress {
  /** Files, directories and all else, done so far. */
  readonly entries: number;
}

export interface TreeOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TreeProgress) => void;
  /** At most so many entries a second; default without bound. */
  readonly entriesPerSecondMax?: number;
}

/** What a tree takes, its first directory included; a file with several names counts once. */
export interface TreeUsage {
  /** On the disk, as `du` counts. */
  readonly usedBytes: bigint;
  readonly inodes: number;
  /** Something could not be read, lies on another file system, or has too many names to remember. */
  readonly approximate: boolean;
}

export interface Attributes {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** One operation of a `Share`, to be asked for together with others. */
export type Step =
  | { readonly kind: "stat"; readonly path: SharePath }
  | { readonly kind: "readFile"; readonly path: SharePath; readonly bytesMax: number }
  | { readonly kind: "createFile"; readonly path: SharePath; readonly content: Uint8Array }
  | { readonly kind: "link"; readonly existing: SharePath; readonly created: SharePath }
  | { readonly kind: "makeDirectory"; readonly path: SharePath; readonly mode: number }
  | { readonly kind: "removeFile"; readonly path: SharePath }
  | { readonly kind: "removeDirectory"; readonly path: SharePath };

/** What a step gives. */
export type ResultOf<Kind extends Step["kind"]> = Kind extends "stat" | "makeDirectory"
  ? FileStat
  : Kind extends "readFile"
    ? Uint8Array
    : undefined;

/** How far steps came. */
export interface StepsOutcome<Steps extends readonly Step[]> {
  /** Of the steps that were done, in their order. */
  readonly results: { readonly [Index in keyof Steps]?: ResultOf<Steps[Index]["kind"]> };
  /** How many those are. */
  readonly done: number;
  /**
   * Of the step behind them. That one and later ones may be done as well where an answer was lost, and where a directory was
   * made that could not be given its mode.
   */
  readonly failure?: unknown;
}

/** Steps of any kinds, whose results nobody knows by their type. */
export type AnySteps = readonly Step[];

/**
 * The operations on a tree that a volume needs: over our NFS client, or over a local directory.
 * Nothing above knows which.
 *
 * - A path is relative to the share's root and never leaves it; a symbolic link on the way is an
 *   error (`storage-not-a-directory`), not followed.
 * - What was created, linked, renamed or changed is durable, at the latest, once a later `sync` has been answered: it
 *   survives a crash of the machine that holds the share. Before that a crash may take back the last steps, never
 *   one without those after it. A removal may come back; what it removed was garbage by then.
 * - Every failure is a `BerthError` with a storage code and a message that names share and path; of two paths the
 *   one at fault, or both.
 * - An operation may fail after it took effect (a lost answer). `createFile`, `makeDirectory`,
 *   `link` and `rename` then may say `storage-exists` or `storage-no-entry` of their own doing: the
 *   caller looks again (see `claimFile`).
 */
export interface Share {
  /** How messages name it: `share nas (10.0.0.5:/k8s)`. */
  readonly name: string;

  stat(path: SharePath, signal?: AbortSignal): Promise<FileStat>;

  /** Names that are not UTF-8 are left out: Berth makes none. In no order. */
  list(path: SharePath, signal?: AbortSignal): AsyncIterable<ShareEntry>;

  /** A whole small file. @throws `storage-too-large` beyond `bytesMax`, and for what is no regular file `storage-unsupported` */
  readFile(path: SharePath, bytesMax: number, signal?: AbortSignal): Promise<Uint8Array>;

  /** A new file whose content is durable, or will be before any name of it is. @throws `storage-exists`; after another failure the file may be there in part */
  createFile(path: SharePath, content: Uint8Array, signal?: AbortSignal): Promise<void>;

  /** Another name for a file, made only if that name is free. @throws `storage-exists` */
  link(existing: SharePath, created: SharePath, signal?: AbortSignal): Promise<void>;

  /**
   * Steps one after the other, up to the first that fails, in one round trip where the server admits it. Looks come behind
   * all that changes something. Never rejects.
   */
  inOrder<const Steps extends AnySteps>(steps: Steps, signal?: AbortSignal): Promise<StepsOutcome<Steps>>;

  /** @throws `storage-exists` whatever is there */
  makeDirectory(path: SharePath, mode: number, signal?: AbortSignal): Promise<FileStat>;

  setAttributes(path: SharePath, attributes: Attributes, signal?: AbortSignal): Promise<void>;

  /** As rename(2): replaces a file, and a directory only if it is empty. */
  rename(from: SharePath, to: SharePath, signal?: AbortSignal): Promise<void>;

  /** Anything but a directory. */
  removeFile(path: SharePath, signal?: AbortSignal): Promise<void>;

  /** @throws `storage-not-empty` */
  removeDirectory(path: SharePath, signal?: AbortSignal): Promise<void>;

  /**
   * A whole tree, whatever its names, links, modes and depth; what is gone already is no error. Never
   * follows a symbolic link, never enters another file system (`storage-busy` when it meets one). Cut
   * short, it can be run again.
   */
  removeTree(path: SharePath, options?: TreeOptions): Promise<TreeProgress>;

  /**
   * Measures a tree, whatever its names, links, modes and depth. Never follows a symbolic link, never enters
   * another file system.
   */
  usage(path: SharePath, options?: TreeOptions): Promise<TreeUsage>;

  space(path: SharePath, signal?: AbortSignal): Promise<Space>;

  /**
   * Resolves when everything durable that this process has done on the share so far, and all of others that it has
   * seen. To be waited for before anything outside the share is told or decided.
   */
  sync(): Promise<void>;

  /** Ends connections and forgets handles. */
  close(): Promise<void>;
}
