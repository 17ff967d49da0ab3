import { constants, openSync } from "node:fs";
import { type FileHandle as LocalFile, open } from "node:fs/promises";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { isatty, ReadStream as Terminal } from "node:tty";
import { BerthError } from "../../core/errors.ts";
import { asLocalFailure } from "./local-failure.ts";
import type { Total } from "./progress.ts";

/** What `put` sends: a file of this machine, a pipe, a device, or standard input. */
export interface PutSource extends AsyncDisposable {
  /** Undefined where it tells no length: pipes, devices. */
  readonly total: Total | undefined;
  /** Whether it can be read again from its start. */
  readonly repeatable: boolean;
  /** From its start; of what is not repeatable once only. */
  chunks(): Readable;
}

/** Without O_NONBLOCK it would wait for a pipe's other end, and no Ctrl-C could end that. */
const openFlags = constants.O_RDONLY | constants.O_NONBLOCK;

/** @param path `-` is standard input @throws BerthError `invalid-argument` */
export async function openPutSource(path: string): Promise<PutSource> {
  if (path === "-") return { ...endless, chunks: () => process.stdin, [Symbol.asyncDispose]: async () => {} };
  try {
    return await sourceOf(await open(path, openFlags), path);
  } catch (reason) {
    throw asLocalFailure(path, reason);
  }
}

const endless = { total: undefined, repeatable: false } as const;

async function sourceOf(file: LocalFile, path: string): Promise<PutSource> {
  const stats = await file.stat();
  if (stats.isDirectory()) {
    await file.close();
    throw new BerthError("invalid-argument", `local path ${path}: it is a directory: name a file`);
  }
  if (stats.isFIFO() || isatty(file.fd)) return await polledSource(file);
  const release = { [Symbol.asyncDispose]: async () => await file.close() };
  if (!stats.isFile()) {
    return { ...endless, chunks: () => file.createReadStream({ autoClose: false }), ...release };
  }
  const chunks = () => file.createReadStream({ start: 0, autoClose: false });
  return { total: { sizeBytes: BigInt(stats.size) }, repeatable: true, chunks, ...release };
}

/** What may stay silent for ever must not be read on a thread, which nothing could take back. */
async function polledSource(file: LocalFile): Promise<PutSource> {
  const fd = openSync(`/dev/fd/${file.fd}`, openFlags); // the stream's own, before a writer could see it closed
  const stream = isatty(fd) ? new Terminal(fd) : new Socket({ fd, writable: false });
  await file.close();
  return { ...endless, chunks: () => stream, [Symbol.asyncDispose]: async () => void stream.destroy() };
}
