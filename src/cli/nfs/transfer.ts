import { writeSync } from "node:fs";
import { type FileHandle as LocalFile, open, unlink } from "node:fs/promises";
import { addAbortSignal, type Readable } from "node:stream";
import { BerthError } from "../../core/errors.ts";
import { sizeText } from "../../core/size-text.ts";
import { type FileHandle, type NfsClient, readBlocks } from "../../nfs/index.ts";
import type { PrintOptions } from "./inspect.ts";
import { fileOf, openHolder, openTarget, placeOf } from "./opened.ts";
import { printLine } from "./output.ts";
import { type Progress, report, type Total } from "./progress.ts";
import { cleanUpMsMax, Interrupted, outlasting, type Work } from "./run.ts";
import { blocksOf, RestartedServer, writeBlocks } from "./write-behind.ts";

/** How often a file is written from its start because the server restarted meanwhile. */
const attemptsMax = 3;

/** A file of the server into a new local one. */
export async function get(source: string, path: string, { json }: PrintOptions, work: Work): Promise<void> {
  const { signal, progress } = work;
  if (path === "-") throw new BerthError("invalid-argument", "get writes no standard output: cat does");
  await using opened = await openTarget(source, work);
  const { handle, attributes } = await fileOf(opened, source, signal);
  const { sizeBytes } = attributes;
  await using file = await open(path, "wx").catch(localFailure(path));
  progress.begin("read", { sizeBytes });
  const take = (data: Uint8Array, offset: bigint) => {
    writeAt(file, data, offset);
    progress.addBytes(data.length);
  };
  try {
    await readBlocks(opened.client, handle, sizeBytes, take, { signal });
  } catch (error) {
    await unlink(path).catch(() => {}); // a part under the whole's name would be taken for it
    throw signal.aborted ? interrupted(progress, error) : asLocalFailure(path, error);
  }
  progress.end();
  report(json, { sizeBytes, path }, () => printLine(`${sizeText(sizeBytes)} read into ${path}`));
}

/**
 * All of it, however the system cuts it. On this thread: the kernel takes one write of a file at a time anyway, and the
 * bytes are still in this processor's cache. Other threads for it cost a tenth to a sixth more CPU (`make bench-nfs`).
 */
export function writeAt({ fd }: LocalFile, data: Uint8Array, offset: bigint): void {
  for (let done = 0; done < data.length; ) {
    done += writeSync(fd, data, done, data.length - done, Number(offset) + done);
  }
}

const localCauses: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or directory",
  EEXIST: "something of this name is there already",
  EISDIR: "it is a directory",
  ENOTDIR: "something on the way is no directory",
  EACCES: "this user has no permission",
};

/** For what goes wrong on this machine. */
function localFailure(path: string): (reason: unknown) => never {
  return (reason) => {
    throw asLocalFailure(path, reason);
  };
}

/** The same reason where it is about something else. */
function asLocalFailure(path: string, reason: unknown): unknown {
  if (!(reason instanceof Error && "syscall" in reason && "code" in reason) || reason instanceof BerthError)
    return reason;
  const code = String(reason.code);
  const cause = localCauses[code];
  const usage = cause === undefined ? "storage-io" : "invalid-argument";
  return new BerthError(usage, `local path ${path}: ${cause ?? reason.message} (${code})`, { cause: reason });
}

function interrupted(progress: Progress, cause: unknown): Interrupted {
  progress.begin(""); // nothing of it is left to be told
  return new Interrupted("the part that was there is removed", { cause });
}

/**
 * A local file, or with `-` standard input, into a new file on the server. It returns when the server has said that all
 * of it is on its disk: COMMIT with the verifier of every WRITE (RFC 1813 §3.3.21, RFC 8881 §18.3), and the right length.
 */
export async function put(path: string, target: string, { json }: PrintOptions, work: Work): Promise<void> {
  const { signal, progress } = work;
  await using source = path === "-" ? undefined : await openSource(path);
  await using opened = await openHolder(target, work);
  const { client } = opened;
  const { directory, name, path: shown } = await placeOf(opened, signal);
  const options = { signal: outlasting(signal), path: shown };
  const { handle } = await client.create(directory.handle, name, { mode: 0o644 }, undefined, options);
  try {
    const sizeBytes = await writeAll(client, handle, source, signal, progress);
    progress.end();
    report(json, { sizeBytes }, () => printLine(`${sizeText(sizeBytes)} written, and on the server's disk`));
  } catch (error) {
    // A part under the whole's name would be taken for it. The command's own signal may have fired.
    await client.remove(directory.handle, name, { timeoutMs: cleanUpMsMax }).catch(() => {});
    throw signal.aborted ? interrupted(progress, error) : asLocalFailure(path, error);
  }
}

async function openSource(path: string): Promise<LocalFile> {
  const file = await open(path, "r").catch(localFailure(path));
  if (!(await file.stat()).isDirectory()) return file;
  await file.close();
  throw new BerthError("invalid-argument", `local path ${path}: ${localCauses["EISDIR"]}: name a file`);
}

async function writeAll(
  client: NfsClient,
  target: FileHandle,
  source: LocalFile | undefined,
  signal: AbortSignal,
  progress: Progress,
): Promise<bigint> {
  const { writeBytesMax } = client.features;
  const total = await totalOf(source);
  for (let attempt = 1; ; attempt++) {
    progress.begin("written", total);
    const chunks: Readable =
      source === undefined ? process.stdin : source.createReadStream({ start: 0, autoClose: false });
    chunks.once("error", () => {}); // told to whoever reads the blocks; aborted before that, it has no other listener
    addAbortSignal(signal, chunks); // standard input may stay silent for ever
    try {
      const blocks = blocksOf(chunks, writeBytesMax);
      const sizeBytes = await writeBlocks(client, target, blocks, signal, (bytes) =>
        progress.addBytes(bytes),
      );
      await checkLength(client, target, sizeBytes, signal);
      return sizeBytes;
    } catch (error) {
      const again = error instanceof RestartedServer && source !== undefined && attempt < attemptsMax;
      if (!again) throw error;
    }
  }
}

/** Devices and pipes have no length that they would tell. */
async function totalOf(source: LocalFile | undefined): Promise<Total | undefined> {
  const stats = await source?.stat();
  return stats?.isFile() === true ? { sizeBytes: BigInt(stats.size) } : undefined;
}

/** @throws BerthError when the server has another length than was written: somebody else writes too */
async function checkLength(client: NfsClient, file: FileHandle, sizeBytes: bigint, signal: AbortSignal) {
  const { sizeBytes: there } = await client.getattr(file, { signal });
  if (there === sizeBytes) return;
  throw new BerthError("storage-io", `${sizeBytes} bytes were written, and the server has ${there}`);
}
