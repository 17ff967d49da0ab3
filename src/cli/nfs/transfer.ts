import { writeSync } from "node:fs";
import { type FileHandle as LocalFile, open, unlink } from "node:fs/promises";
import { addAbortSignal, type Readable } from "node:stream";
import { BerthError } from "../../core/errors.ts";
import { sizeText } from "../../core/size-text.ts";
import { type FileHandle, type NfsClient, readBlocks } from "../../nfs/index.ts";
import type { PrintOptions } from "./inspect.ts";
import { nodeOf, openHolder, openTarget, placeOf } from "./opened.ts";
import { printLine } from "./output.ts";
import { type Progress, report } from "./progress.ts";
import type { Work } from "./run.ts";
import { blocksOf, RestartedServer, writeBlocks } from "./write-behind.ts";

/** How often a file is written from its start because the server restarted meanwhile. */
const attemptsMax = 3;
/** For taking back what was begun; the command's own signal may have fired. */
const cleanUpMsMax = 5000;

/** A file of the server into a new local one. */
export async function get(
  source: string,
  path: string,
  { json }: PrintOptions,
  { signal, progress }: Work,
): Promise<void> {
  await using opened = await openTarget(source, signal);
  const { handle, attributes } = await nodeOf(opened, signal);
  if (attributes.type !== "file") throw noFile(source, attributes.type);
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
    throw error;
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
    const code = reason instanceof Error && "code" in reason ? String(reason.code) : "";
    const cause = localCauses[code];
    if (cause === undefined) throw reason;
    throw new BerthError("invalid-argument", `local path ${path}: ${cause} (${code})`, { cause: reason });
  };
}

function noFile(source: string, type: string): BerthError {
  return new BerthError("invalid-argument", `${source} is no regular file but a ${type}: name a file`);
}

/**
 * A local file, or with `-` standard input, into a new file on the server. It returns when the server has said that all
 * of it is on its disk: COMMIT with the verifier of every WRITE (RFC 1813 §3.3.21, RFC 8881 §18.3), and the right length.
 */
export async function put(
  path: string,
  target: string,
  { json }: PrintOptions,
  { signal, progress }: Work,
): Promise<void> {
  await using source = path === "-" ? undefined : await open(path, "r").catch(localFailure(path));
  await using opened = await openHolder(target, signal);
  const { client } = opened;
  const { directory, name } = await placeOf(opened, signal);
  const options = { signal, path: name };
  const { handle } = await client.create(directory.handle, name, { mode: 0o644 }, undefined, options);
  try {
    const sizeBytes = await writeAll(client, handle, source, signal, progress);
    progress.end();
    report(json, { sizeBytes }, () => printLine(`${sizeText(sizeBytes)} written, and on the server's disk`));
  } catch (error) {
    // A part under the whole's name would be taken for it.
    await client.remove(directory.handle, name, { timeoutMs: cleanUpMsMax }).catch(() => {});
    throw error;
  }
}

async function writeAll(
  client: NfsClient,
  target: FileHandle,
  source: LocalFile | undefined,
  signal: AbortSignal,
  progress: Progress,
): Promise<bigint> {
  const { writeBytesMax } = client.features;
  const total = source === undefined ? undefined : { sizeBytes: BigInt((await source.stat()).size) };
  for (let attempt = 1; ; attempt++) {
    progress.begin("written", total);
    const chunks: Readable =
      source === undefined ? process.stdin : source.createReadStream({ start: 0, autoClose: false });
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

/** @throws BerthError when the server has another length than was written: somebody else writes too */
async function checkLength(client: NfsClient, file: FileHandle, sizeBytes: bigint, signal: AbortSignal) {
  const { sizeBytes: there } = await client.getattr(file, { signal });
  if (there === sizeBytes) return;
  throw new BerthError("storage-io", `${sizeBytes} bytes were written, and the server has ${there}`);
}
