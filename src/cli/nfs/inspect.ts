import { sizeText } from "../../core/size-text.ts";
import { nameText } from "../../nfs/trees/tree-directory.ts";
import { type TreeUsage, usageOfTree } from "../../nfs/trees/usage.ts";
import { arrow, linkOf } from "./link.ts";
import { nothingRead } from "./nothing-read.ts";
import { fileOf, nodeOf, openTarget } from "./opened.ts";
import { entriesText, longLine, printAll, printJson, printLine } from "./output.ts";
import { report } from "./progress.ts";
import { FailureList, type Work } from "./run.ts";

/** How a command prints. */
export interface PrintOptions {
  readonly json?: boolean;
}

export async function stat(target: string, { json }: PrintOptions, work: Work): Promise<void> {
  await using opened = await openTarget(target, work);
  const node = await nodeOf(opened, work.signal);
  const link = await linkOf(opened.client, node, work.signal);
  const { attributes } = node;
  if (json) return printJson({ ...attributes, ...link });
  printLine(longLine(nameText(opened.name) + arrow(link), attributes));
  printLine(`fsid ${attributes.fsid}  fileid ${attributes.fileid}  used ${attributes.usedBytes} bytes`);
}

export async function diskFree(target: string, { json }: PrintOptions, work: Work): Promise<void> {
  const { signal } = work;
  await using opened = await openTarget(target, work);
  const { handle } = await nodeOf(opened, signal);
  const space = await opened.client.fsstat(handle, { signal });
  if (json) return printJson(space);
  printLine(`${sizeText(space.availableBytes)} of ${sizeText(space.totalBytes)} available`);
  printLine(`${space.availableInodes} of ${space.totalInodes} inodes available`);
}

export async function diskUsage(target: string, { json }: PrintOptions, work: Work): Promise<void> {
  const { signal, progress } = work;
  await using opened = await openTarget(target, work);
  const node = await nodeOf(opened, signal);
  const failures = new FailureList(json, progress);
  progress.begin("counted");
  const options = { signal, onProgress: progress.show, onFailure: failures.note };
  const usage = await usageOfTree(opened.client, node, options);
  progress.end();
  report(json, usage, () => printUsage(usage));
  failures.check("read, so the sum is too small");
}

function printUsage({ usedBytes, sizeBytes, entries, boundaries, sharedNames }: TreeUsage): void {
  printLine(`${sizeText(usedBytes)} used by ${entriesText(entries)} (${sizeText(sizeBytes)} long)`);
  if (boundaries > 0)
    printLine(`without what lies on other file systems, which begin at ${entriesText(boundaries)}`);
  if (sharedNames > 0) {
    printLine(
      `about: of files with several names, too many to remember, ${entriesText(sharedNames)} counted a share each`,
    );
  }
}

export async function cat(target: string, work: Work): Promise<void> {
  const { signal } = work;
  await using opened = await openTarget(target, work);
  const { handle } = await fileOf(opened, target, signal);
  const { readBytesMax } = opened.client.features;
  for (let offset = 0n; ; ) {
    const { data, eof } = await opened.client.read(handle, offset, readBytesMax, { signal });
    if (data.length > 0) await printAll(data, signal);
    offset += BigInt(data.length);
    if (eof) return;
    if (data.length === 0) throw nothingRead(target, offset);
  }
}
