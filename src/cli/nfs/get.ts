import { writeSync } from "node:fs";
import { type FileHandle as LocalFile, open, unlink } from "node:fs/promises";
import { BerthError } from "../../core/errors.ts";
import { sizeText } from "../../core/size-text.ts";
import { readBlocks } from "../../nfs/index.ts";
import type { PrintOptions } from "./inspect.ts";
import { withoutPart } from "./left.ts";
import { asLocalFailure } from "./local-failure.ts";
import { fileOf, openTarget } from "./opened.ts";
import { printLine } from "./output.ts";
import { report } from "./progress.ts";
import type { Work } from "./run.ts";

/** A file of the server into a new local one. */
export async function get(source: string, path: string, { json }: PrintOptions, work: Work): Promise<void> {
  const { signal, progress } = work;
  if (path === "-") throw new BerthError("invalid-argument", "get writes no standard output: cat does");
  await using opened = await openTarget(source, work);
  const { handle, attributes } = await fileOf(opened, source, signal);
  const { sizeBytes } = attributes;
  await using file = await create(path);
  progress.begin("read", { sizeBytes });
  const take = (data: Uint8Array, offset: bigint): undefined => {
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
