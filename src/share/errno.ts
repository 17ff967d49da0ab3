import { BerthError, type StorageCode, withoutStack } from "../core/errors.ts";
import type { SharePath } from "./share-path.ts";

/** What an errno says of one step on a file system, and what its reader can do about it. */
const meanings: Readonly<Record<string, readonly [StorageCode, cause: string, remedy?: string]>> = {
  ENOENT: ["storage-no-entry", "no such file or directory"],
  EEXIST: ["storage-exists", "it exists already"],
  ENOTEMPTY: ["storage-not-empty", "the directory is not empty"],
  ENOTDIR: ["storage-not-a-directory", "something on the way is not a directory"],
  ELOOP: [
    "storage-not-a-directory",
    "a symbolic link is in the way",
    "Berth follows none on a share: remove it",
  ],
  EACCES: ["storage-access", "permission denied", "let Berth's user write to the share"],
  EPERM: ["storage-access", "operation not permitted", "let Berth's user own and change files on the share"],
  ENOSPC: ["storage-no-space", "no space left", "free some, or grow the file system"],
  EDQUOT: ["storage-quota", "over quota", "raise the quota of Berth's user"],
  EROFS: ["storage-read-only", "the file system is read-only", "mount it read-write"],
  ENAMETOOLONG: ["storage-name-too-long", "the name is too long for the file system"],
  ESTALE: ["storage-stale", "stale file handle", "mount the file system again"],
  EBUSY: ["storage-busy", "it is in use, or something is mounted on it", "unmount it"],
  EXDEV: [
    "storage-unsupported",
    "another file system lies below the share",
    "keep each share on one file system",
  ],
  EISDIR: ["storage-unsupported", "it is a directory, and a file was expected"],
  EINVAL: ["storage-unsupported", "the file system takes no such name or value"],
  EMLINK: ["storage-unsupported", "the file system allows no more links"],
  ENXIO: ["storage-unsupported", "it is a socket or a device, not a file of Berth's"],
  ENOTSUP: ["storage-unsupported", "the file system does not support it"],
  EMFILE: ["storage-unavailable", "too many open files in this process", "raise its limit (ulimit -n)"],
  ENFILE: ["storage-unavailable", "too many open files on this machine"],
};

/** The error of a system call on `path` of a share, as a `BerthError`. Anything without an errno passes as it is. */
export function storageError(reason: unknown, share: string, step: string, path: SharePath): unknown {
  const errno = errnoOf(reason);
  return errno === undefined ? reason : errorOf(errno, share, step, path, { cause: reason });
}

/** The same where nothing was found at a path, without an error of the system. */
export const noEntry = (share: string, step: string, path: SharePath): BerthError =>
  errorOf("ENOENT", share, step, path);

function errorOf(
  errno: string,
  share: string,
  step: string,
  path: SharePath,
  options?: { cause: unknown },
): BerthError {
  const [code, cause, remedy] = meanings[errno] ?? ["storage-io", `the system said ${errno}`];
  const where = path === "" ? "its root" : path;
  const advice = remedy === undefined ? "" : `: ${remedy}`;
  const message = `${share}: cannot ${step} ${where}: ${cause} (${errno})${advice}`;
  return withoutStack(() => new BerthError(code, message, options));
}

export function errnoOf(reason: unknown): string | undefined {
  if (!(reason instanceof Error) || !("code" in reason) || typeof reason.code !== "string") return undefined;
  return /^E[A-Z0-9]+$/.test(reason.code) ? reason.code : undefined;
}
