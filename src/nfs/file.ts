import type { Brand } from "../core/brand.ts";

/**
 * What a server calls a file: opaque, at most 64 bytes in v3 (RFC 1813 §2.4), 128 in v4 (RFC 8881
 * §4.2.1), each a character (U+0000 to U+00FF): such a string of 28 takes 48 bytes of V8's heap, an array 248
 * (`Buffer.from(handle, "latin1")`).
 * Valid until the file is removed, whatever its name; then `storage-stale`.
 */
export type FileHandle = Brand<string, "FileHandle">;

/** One component: text where the server's bytes are UTF-8, else the bytes as they are. */
export type FileName = string | Uint8Array;

/** RFC 1813 §2.5 `ftype3`; RFC 8881 §3.2 `nfs_ftype4`, of which attribute directories are "other". */
export type FileType =
  | "file"
  | "directory"
  | "symlink"
  | "block-device"
  | "character-device"
  | "socket"
  | "fifo"
  | "other";

/** A point in time since the epoch, as exact as NFS has it. `seconds` may be negative. */
export interface FileTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** RFC 1813 §2.5 `fattr3`; RFC 8881 §5 for the attributes of v4. */
export interface FileAttributes {
  readonly type: FileType;
  /** Permission bits with set-uid, set-gid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly links: number;
  /** 4294967294 (nobody) where a v4 server names an owner that is no number. */
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: bigint;
  /** What the file takes on the disk; less than `sizeBytes` for a sparse one. */
  readonly usedBytes: bigint;
  readonly fsid: bigint;
  readonly fileid: bigint;
  /** Differs after every change: v4's change attribute; in v3 the time of the last change, as it is on the wire. */
  readonly change: bigint;
  readonly accessed: FileTime;
  readonly modified: FileTime;
  readonly changed: FileTime;
}

/**
 * What SETATTR and creation can set. Absent: left as it is, or the server's choice. Servers change the
 * owner last, and that clears set-uid and set-gid (measured on Linux and Ganesha): set such a mode after it.
 */
export interface AttributeChanges {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly sizeBytes?: bigint;
  readonly accessed?: FileTime | "now";
  readonly modified?: FileTime | "now";
}

/** A thing on the server: its handle, and what it was at the time of the answer. */
export interface FileNode {
  readonly handle: FileHandle;
  readonly attributes: FileAttributes;
}

export interface DirectoryEntry {
  readonly name: FileName;
  readonly fileid: bigint;
  /** Absent when not asked for, and when the server could not say (RFC 1813 §3.3.17 leaves it free). */
  readonly attributes?: FileAttributes;
  /** Absent as `attributes` may be, and where only those of directories were asked for. Look such an entry up. */
  readonly handle?: FileHandle;
}

/** A place in a directory to go on reading from (RFC 1813 §3.3.17, RFC 8881 §18.23). */
export interface DirectoryPosition {
  readonly cookie: bigint;
  readonly verifier: Uint8Array;
}

/** One answer of READDIR, without `.` and `..`; the caller's own. */
export interface DirectoryPage {
  readonly entries: DirectoryEntry[];
  /** Where the next page begins; absent on the last one. */
  readonly next?: DirectoryPosition;
}

/**
 * How durable WRITE is when it returns (RFC 1813 §3.3.7, RFC 8881 §18.32): `unstable` data is lost
 * with the server unless COMMIT returns the same verifier; `file-sync` data and size are on disk.
 */
export type Stability = "unstable" | "data-sync" | "file-sync";

/** @template Data what was made of the bytes: by `read` a copy, by `readInPlace` what the caller makes of them */
export interface ReadResult<Data = Uint8Array> {
  /** At most as many bytes as asked for: servers cut reads. */
  readonly data: Data;
  readonly eof: boolean;
}

export interface WriteResult {
  /** May be less than given: write the rest again. */
  readonly writtenBytes: number;
  readonly stability: Stability;
  /** Changes when the server has lost unstable data. */
  readonly verifier: Uint8Array;
}

/** RFC 1813 §3.3.18; RFC 8881 §5.8.2.5–7 and §5.8.2.34–36. Asked of a directory, so quotas show. */
export interface FileSystemSpace {
  readonly totalBytes: bigint;
  /** For anybody, and for this caller: less for those who cannot use the reserve. */
  readonly freeBytes: bigint;
  readonly availableBytes: bigint;
  readonly totalInodes: bigint;
  readonly freeInodes: bigint;
  readonly availableInodes: bigint;
}
