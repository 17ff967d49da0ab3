import {
  type BigIntStats,
  chmod,
  close,
  constants,
  type Dir,
  fchmod,
  fchown,
  fstat,
  fsync,
  link,
  lstat,
  mkdir,
  open,
  opendir,
  readFile,
  readlink,
  rename,
  rmdir,
  unlink,
} from "node:fs";
import { promisify } from "node:util";

/**
 * System calls relative to an open directory, as openat(2) and its family: Linux resolves
 * `/proc/self/fd/N/name` from the directory that N stands for, so nobody who swaps a component for a
 * symbolic link in the meantime can lead a call elsewhere. Names are bytes or UTF-8, one component each.
 */
export type Name = string | Buffer;

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** Linux: a handle that only names a file, whatever its mode; Node has no constant for it. */
const O_PATH = 0o10000000;

const calls = {
  chmod: promisify(chmod),
  open: promisify(open),
  close: promisify(close),
  fchmod: promisify(fchmod),
  fchown: promisify(fchown),
  fsync: promisify(fsync),
  link: promisify(link),
  lstat: promisify(lstat),
  fstat: promisify(fstat),
  mkdir: promisify(mkdir),
  opendir: promisify(opendir),
  readFile: promisify(readFile),
  readlink: promisify(readlink),
  rename: promisify(rename),
  rmdir: promisify(rmdir),
  unlink: promisify(unlink),
};

function at(directory: number, name: Name): Name {
  const prefix = `/proc/self/fd/${directory}/`;
  return typeof name === "string" ? prefix + name : Buffer.concat([Buffer.from(prefix), name]);
}

export const openPath = (path: string): Promise<number> => calls.open(path, O_RDONLY | O_DIRECTORY);

export const openDirectoryAt = (directory: number, name: Name): Promise<number> =>
  calls.open(at(directory, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

export const createFileAt = (directory: number, name: Name): Promise<number> =>
  calls.open(at(directory, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);

/** O_NONBLOCK: opening a FIFO that somebody planted must not wait for its writer. */
export const openFileAt = (directory: number, name: Name): Promise<number> =>
  calls.open(at(directory, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);

export const statAt = (directory: number, name: Name): Promise<BigIntStats> =>
  calls.lstat(at(directory, name), { bigint: true });

export const statOpen = (fd: number): Promise<BigIntStats> => calls.fstat(fd, { bigint: true });

export const makeDirectoryAt = async (directory: number, name: Name): Promise<void> => {
  await calls.mkdir(at(directory, name), { mode: 0o700 });
};

export const linkAt = (from: number, existing: Name, to: number, created: Name): Promise<void> =>
  calls.link(at(from, existing), at(to, created));

export const renameAt = (from: number, source: Name, to: number, target: Name): Promise<void> =>
  calls.rename(at(from, source), at(to, target));

export const removeFileAt = (directory: number, name: Name): Promise<void> =>
  calls.unlink(at(directory, name));

export const removeDirectoryAt = (directory: number, name: Name): Promise<void> =>
  calls.rmdir(at(directory, name));

/** Lets its owner into a directory that a mode such as 0000 closes. */
export async function openUpAt(directory: number, name: Name): Promise<void> {
  const handle = await calls.open(at(directory, name), O_PATH | O_DIRECTORY | O_NOFOLLOW);
  try {
    await calls.chmod(`/proc/self/fd/${handle}`, 0o700);
  } finally {
    await calls.close(handle);
  }
}

/** Where an open directory is now. */
export const pathOfOpen = (fd: number): Promise<string> => calls.readlink(`/proc/self/fd/${fd}`);

/** Every mount point of this process's mount namespace (proc(5), mountinfo field 5, octal escapes undone). */
export async function mountPoints(): Promise<string[]> {
  const table = await calls.readFile("/proc/self/mountinfo", "utf8");
  return table
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((point) => point !== "")
    .map((point) =>
      point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}

/** The entries of an open directory, names as bytes. */
export const listOpen = (fd: number): Promise<Dir> =>
  // "buffer" is what Node takes here for names that are bytes; its types know only text.
  calls.opendir(`/proc/self/fd/${fd}/.`, { encoding: "buffer" as BufferEncoding, bufferSize: 256 });

export const { close: closeFd, fchmod: changeMode, fchown: changeOwner, fsync: syncFd } = calls;
