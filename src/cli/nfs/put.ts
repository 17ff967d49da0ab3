import { addAbortSignal } from "node:stream";
import { BerthError } from "../../core/errors.ts";
import { sizeText } from "../../core/size-text.ts";
import {
  type FileHandle,
  type NfsClient,
  NfsError,
  RestartedServer,
  replaceFile,
  writeBlocks,
} from "../../nfs/index.ts";
import { ownerOf } from "../../nfs/trees/copy-file.ts";
import type { PrintOptions } from "./inspect.ts";
import { cutShort, withoutPart } from "./left.ts";
import { asLocalFailure } from "./local-failure.ts";
import { openHolder, type Place, placeOf } from "./opened.ts";
import { printLine } from "./output.ts";
import { report } from "./progress.ts";
import { openPutSource, type PutSource } from "./put-source.ts";
import { cleanUpMsMax, outlasting, type Work } from "./run.ts";

/** How often a file is written from its start because the server restarted meanwhile. */
const attemptsMax = 3;

export interface PutOptions extends PrintOptions {
  /** A file of this name goes when the new one is whole. */
  readonly replace?: boolean;
}

/**
 * A local file, a pipe, or with `-` standard input, into a file on the server. It returns when the server has said that all
 * of it is on its disk, and has the right length.
 */
export async function put(
  path: string,
  target: string,
  { json, replace }: PutOptions,
  work: Work,
): Promise<void> {
  const { signal, progress } = work;
  await using source = await openPutSource(path);
  await using opened = await openHolder(target, work);
  const place = await placeOf(opened, signal);
  const putting = { client: opened.client, place, target, source, path };
  const sizeBytes = await (replace === true ? putInPlace(putting, work) : putNew(putting, work));
  progress.end();
  report(json, { sizeBytes }, () => printLine(`${sizeText(sizeBytes)} written, and on the server's disk`));
}

interface Putting {
  readonly client: NfsClient;
  readonly place: Place;
  readonly target: string;
  readonly source: PutSource;
  /** Of the source. */
  readonly path: string;
}

async function putNew({ client, place, target, source, path }: Putting, work: Work): Promise<bigint> {
  const { directory, name } = place;
  const options = { signal: outlasting(work.signal), path: place.path };
  const { handle } = await client.create(directory.handle, name, { mode: newMode }, undefined, options);
  try {
    return await writeAll(client, handle, source, work);
  } catch (error) {
    // The command's own signal may have fired.
    const remove = async () => await client.remove(directory.handle, name, { timeoutMs: cleanUpMsMax });
    throw await withoutPart(work, asLocalFailure(path, error), target, remove);
  }
}

const newMode = 0o644;

/** With mode and owner of the file that it replaces. */
async function putInPlace({ client, place, target, source, path }: Putting, work: Work): Promise<bigint> {
  const { directory, name, existing } = place;
  if (existing?.attributes.type === "directory")
    throw new BerthError("invalid-argument", `${target} is a directory: name a file in it`);
  const old = existing?.attributes.type === "file" ? existing.attributes : undefined;
  const attributes = old === undefined ? { mode: newMode } : { mode: old.mode, ...ownerOf(old) };
  const options = { signal: outlasting(work.signal), path: place.path };
  let sizeBytes = 0n;
  const fill = async (file: FileHandle) => {
    sizeBytes = await writeAll(client, file, source, work);
  };
  try {
    await replaceFile(client, directory.handle, name, attributes, fill, options);
    return sizeBytes;
  } catch (error) {
    work.progress.begin(""); // nothing of it is left to be told
    if (error instanceof NfsError && error.outcome === "unknown") throw error; // of the renaming
    throw cutShort(work, asLocalFailure(path, error), "what has this name is as it was");
  }
}

async function writeAll(
  client: NfsClient,
  target: FileHandle,
  source: PutSource,
  { signal, progress }: Work,
): Promise<bigint> {
  for (let attempt = 1; ; attempt++) {
    progress.begin("written", source.total);
    const chunks = source.chunks();
    chunks.once("error", () => {}); // told to whoever reads the blocks; aborted before that, it has no other listener
    addAbortSignal(signal, chunks); // a pipe may stay silent for ever
    try {
      const onWritten = (bytes: number) => progress.addBytes(bytes);
      const sizeBytes = await writeBlocks(client, target, chunks, { signal, onWritten });
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
