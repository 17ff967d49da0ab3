import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  type Dir,
  type Dirent,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  futimes,
  linkSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdir,
  rmdirSync,
  type Stats,
  unlink,
  unlinkSync,
  write,
} from "node:fs";
import { errnoOf } from "./errno.ts";

/**
 * System calls relative to an open directory, as openat(2) and its family: Linux resolves
 * `/proc/self/fd/N/name` from the directory that N stands for, so nobody who swaps a component for a
 * symbolic link in the meantime can lead a call elsewhere. Names are bytes or UTF-8, one component each.
 *
 * What looks, or changes one name, is called synchronously: it takes microseconds on a local disk, and a turn through
 * Node's thread pool costs several times as much. What waits for the disk, or may free a large file, is asynchronous:
 * while one waits others share its commit.
 */
export type Name = string | Buffer;

const { O_CREAT, O_DIRECTORY, O_DSYNC, O_EXCL, O_NOATIME, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } =
  constants;
/** Linux: a handle that only names a file, whatever its mode; Node has no constant for it. */
const O_PATH = 0o10000000;

/** A promise of what Node calls back. Its own `promisify` costs several times as much, for each call. */
function answered(start: (callback: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === null ? resolve() : reject(error)));
  });
}

function answer<T>(start: (callback: (error: Error | null, result: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, result) => (error === null ? resolve(result) : reject(error)));
  });
}

function at(directory: number, name: Name): Name {
  const prefix = `/proc/self/fd/${directory}/`;
  return typeof name === "string" ? prefix + name : Buffer.concat([Buffer.from(prefix), name]);
}

export const openPath = (path: string): number => openSync(path, O_RDONLY | O_DIRECTORY);

export const openDirectoryAt = (directory: number, name: Name): number =>
  openSync(at(directory, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

/** A new file that is written durably: each write is answered when its content is on the disk (O_DSYNC). */
export const createFileAt = (directory: number, name: Name): number =>
  openSync(at(directory, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_DSYNC, 0o600);

export async function writeAll(fd: number, content: Uint8Array): Promise<void> {
  for (let done = 0; done < content.length; ) {
    const from = done;
    done += await answer<number>((callback) => {
      write(fd, content, from, content.length - from, from, callback);
    });
  }
}

/**
 * O_NONBLOCK: opening a FIFO that somebody planted must not wait for its writer. O_NOATIME: the first read of a
 * file would change its inode, for which it may have to wait until the journal has written that; only the file's
 * owner may ask for it.
 */
export function openFileAt(directory: number, name: Name): number {
  const path = at(directory, name);
  const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
  try {
    return openSync(path, flags | O_NOATIME);
  } catch (reason) {
    if (errnoOf(reason) !== "EPERM") throw reason;
    return openSync(path, flags);
  }
}

export const statAt = (directory: number, name: Name): BigIntStats =>
  lstatSync(at(directory, name), { bigint: true });

export const statOpen = (fd: number): BigIntStats => fstatSync(fd, { bigint: true });

/** What is there, if anything is. In numbers where those are exact: a look that makes bigints costs twice as much. */
export function lookAt(directory: number, name: Name): Stats | BigIntStats | undefined {
  const path = at(directory, name);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined || isExact(stat)
    ? stat
    : lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

/** The same of what is open. */
export function lookAtOpen(fd: number): Stats | BigIntStats {
  const stat = fstatSync(fd);
  return isExact(stat) ? stat : statOpen(fd);
}

const isExact = ({ dev, ino, size }: Stats): boolean =>
  Number.isSafeInteger(ino) && Number.isSafeInteger(size) && Number.isSafeInteger(dev);

export const makeDirectoryAt = (directory: number, name: Name, mode: number): void =>
  void mkdirSync(at(directory, name), { mode });

export const linkAt = (from: number, existing: Name, to: number, created: Name): void =>
  linkSync(at(from, existing), at(to, created));

export const renameAt = (from: number, source: Name, to: number, target: Name): void =>
  renameSync(at(from, source), at(to, target));

export const unlinkAt = (directory: number, name: Name): void => unlinkSync(at(directory, name));

export const removeDirectoryAt = (directory: number, name: Name): void => rmdirSync(at(directory, name));

/** The same of what may be large, or one of many. */
export const unlinkAside = (directory: number, name: Name): Promise<void> =>
  answered((callback) => unlink(at(directory, name), callback));

export const removeDirectoryAside = (directory: number, name: Name): Promise<void> =>
  answered((callback) => rmdir(at(directory, name), callback));

/** Lets its owner into a directory that a mode such as 0000 closes. */
export function openUpAt(directory: number, name: Name): void {
  const handle = openSync(at(directory, name), O_PATH | O_DIRECTORY | O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${handle}`, 0o700);
  } finally {
    closeSync(handle);
  }
}

/** Where an open directory is now. */
export const pathOfOpen = (fd: number): string => readlinkSync(`/proc/self/fd/${fd}`);

/** Every mount point of this process's mount namespace (proc(5), mountinfo field 5, octal escapes undone). */
export function mountPoints(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((point) => point !== "")
    .map((point) =>
      point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}

/** The entries of an open directory, names as bytes. */
export const listOpen = (fd: number): Dir =>
  // "buffer" is what Node takes here for names that are bytes; its types know only text.
  opendirSync(`/proc/self/fd/${fd}/.`, { encoding: "buffer" as BufferEncoding, bufferSize: 256 });

/** The same of a small directory, at once. */
export const readOpen = (fd: number): Dirent<Buffer>[] =>
  readdirSync(`/proc/self/fd/${fd}/.`, { encoding: "buffer", withFileTypes: true });

/** Makes what was done in a directory, or written to a file, durable. */
export const syncFd = (fd: number): Promise<void> => answered((callback) => fsync(fd, callback));

/** Changes what is open, if only its times. Its owner may do that. */
export function touchFd(fd: number): Promise<void> {
  const now = new Date();
  return answered((callback) => futimes(fd, now, now, callback));
}

export { closeSync as closeFd, fchmodSync as changeMode, fchownSync as changeOwner };
