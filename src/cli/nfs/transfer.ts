import { writeSync } from "node:fs";
import { type FileHandle as LocalFile, open, unlink } from "node:fs/promises";
import { addAbortSignal } from "node:stream";
import { BerthError } from "../../core/errors.ts";
import { sizeText } from "../../core/size-text.ts";
import { type FileHandle, type NfsClient, readBlocks } from "../../nfs/index.ts";
import type { PrintOptions } from "./inspect.ts";
import { withoutPart } from "./left.ts";
import { asLocalFailure } from "./local-failure.ts";
import { fileOf, openHolder, openTarget, placeOf } from "./opened.ts";
import { printLine } from "./output.ts";
import { type Progress, report } from "./progress.ts";
import { openPutSource, type PutSource } from "./put-source.ts";
import { cleanUpMsMax, outlasting, type Work } from "./run.ts";
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
  await using file = await create(path);
  progress.begin("read", { sizeBytes });
  const take = (data: Uint8Array, offset: bigint) => {
    writeAt(file, data, offset);
    progress.addBytes(data.length);
  };
  try {
    await readBlocks(opened.client, handle, sizeBytes, take, { signal });
  } catch (error) {
    throw await withoutPart(work, asLocalFailure(path, error), path, () => unlink(path));
  }
  progress.end();
  report(json, { sizeBytes, path }, () => printLine(`${sizeText(sizeBytes)} read into ${path}`));
}

async function create(path: string): Promise<LocalFile> {
  try {
    return await open(path, "wx");
  } catch (reason) {
    throw asLocalFailure(path, reason);
  }
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

/**
 * A local file, or with `-` standard input, into a new file on the server. It returns when the server has said that all
 * of it is on its disk: COMMIT with the verifier of every WRITE (RFC 1813 §3.3.21, RFC 8881 §18.3), and the right length.
 */
export async function put(path: string, target: string, { json }: PrintOptions, work: Work): Promise<void> {
  const { signal, progress } = work;
  await using source = await openPutSource(path);
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
    // The command's own signal may have fired.
    const remove = async () => await client.remove(directory.handle, name, { timeoutMs: cleanUpMsMax });
    throw await withoutPart(work, asLocalFailure(path, error), target, remove);
  }
}

async function writeAll(
  client: NfsClient,
  target: FileHandle,
  source: PutSource,
  signal: AbortSignal,
  progress: Progress,
): Promise<bigint> {
  const { writeBytesMax } = client.features;
  for (let attempt = 1; ; attempt++) {
    progress.begin("written", source.total);
    const chunks = source.chunks();
    chunks.once("error", () => {}); // told to whoever reads the blocks; aborted before that, it has no other listener
    addAbortSignal(signal, chunks); // a pipe may stay silent for ever
    try {
      const blocks = blocksOf(chunks, writeBytesMax);
      const sizeBytes = await writeBlocks(client, target, blocks, signal, (bytes) =>
        progress.addBytes(bytes),
      );
      await checkLength(client, target, sizeBytes, signal);
      return sizeBytes;
    } catch (error) {
      const again = error instanceof RestartedServer && source.repeatable && attempt < attemptsMax;
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
