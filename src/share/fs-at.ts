import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  type Dir,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  link,
  lstatSync,
  mkdir,
  open,
  opendirSync,
  openSync,
  readFileSync,
  readlinkSync,
  rename,
  rmdir,
  unlink,
  write,
} from "node:fs";
import { promisify } from "node:util";

/**
 * System calls relative to an open directory, as openat(2) and its family: Linux resolves
 * `/proc/self/fd/N/name` from the directory that N stands for, so nobody who swaps a component for a
 * symbolic link in the meantime can lead a call elsewhere. Names are bytes or UTF-8, one component each.
 *
 * What only looks is called synchronously: it takes microseconds on a local disk, and a turn through Node's
 * thread pool costs several times as much. What changes something is asynchronous: it may wait for the file
 * system's journal, or free a large file, and while one waits others share its commit.
 */
export type Name = string | Buffer;

const { O_CREAT, O_DIRECTORY, O_DSYNC, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** Linux: a handle that only names a file, whatever its mode; Node has no constant for it. */
const O_PATH = 0o10000000;

const openFile = promisify(open);
const writeFile = promisify(write);
const mkdirPath = promisify(mkdir);
const linkPath = promisify(link);
const renamePath = promisify(rename);
const unlinkPath = promisify(unlink);
const rmdirPath = promisify(rmdir);

function at(directory: number, name: Name): Name {
  const prefix = `/proc/self/fd/${directory}/`;
  return typeof name === "string" ? prefix + name : Buffer.concat([Buffer.from(prefix), name]);
}

export const openPath = (path: string): number => openSync(path, O_RDONLY | O_DIRECTORY);

export const openDirectoryAt = (directory: number, name: Name): number =>
  openSync(at(directory, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

/** A new file that is written durably: each write is answered when its content is on the disk (O_DSYNC). */
export const createFileAt = (directory: number, name: Name): Promise<number> =>
  openFile(at(directory, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_DSYNC, 0o600);

export async function writeAll(fd: number, content: Uint8Array): Promise<void> {
  for (let done = 0; done < content.length; ) {
    done += (await writeFile(fd, content, done, content.length - done, done)).bytesWritten;
  }
}

/** O_NONBLOCK: opening a FIFO that somebody planted must not wait for its writer. */
export const openFileAt = (directory: number, name: Name): number =>
  openSync(at(directory, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);

export const statAt = (directory: number, name: Name): BigIntStats =>
  lstatSync(at(directory, name), { bigint: true });

export const statOpen = (fd: number): BigIntStats => fstatSync(fd, { bigint: true });

export const makeDirectoryAt = async (directory: number, name: Name, mode: number): Promise<void> => {
  await mkdirPath(at(directory, name), { mode });
};

export const linkAt = (from: number, existing: Name, to: number, created: Name): Promise<void> =>
  linkPath(at(from, existing), at(to, created));

export const renameAt = (from: number, source: Name, to: number, target: Name): Promise<void> =>
  renamePath(at(from, source), at(to, target));

export const unlinkAt = (directory: number, name: Name): Promise<void> => unlinkPath(at(directory, name));

export const removeDirectoryAt = (directory: number, name: Name): Promise<void> =>
  rmdirPath(at(directory, name));

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

/** Makes what was done in a directory, or written to a file, durable. */
export const syncFd = promisify(fsync);

export { closeSync as closeFd, fchmodSync as changeMode, fchownSync as changeOwner };
