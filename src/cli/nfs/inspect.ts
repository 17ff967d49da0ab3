import { once } from "node:events";
import { sizeText } from "../../core/size-text.ts";
import type { FileNode, NfsClient } from "../../nfs/index.ts";
import { nameText, type TreeEntry } from "../../nfs/trees/tree-directory.ts";
import { usageOfTree } from "../../nfs/trees/usage.ts";
import { walkTree } from "../../nfs/trees/walk.ts";
import { nothingRead } from "./nothing-read.ts";
import { nodeOf, openTarget } from "./opened.ts";
import { longLine, printJson, printLine } from "./output.ts";
import { report } from "./progress.ts";
import { FailureList, type Work } from "./run.ts";

/** How a command prints. */
export interface PrintOptions {
  readonly json?: boolean;
}

export interface ListOptions extends PrintOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
}

/** One directory in order of names; with `recursive` a tree, in the order in which it comes. */
export async function list(target: string, options: ListOptions, { signal, progress }: Work): Promise<void> {
  await using opened = await openTarget(target, signal);
  const { client } = opened;
  const node = await nodeOf(opened, signal);
  if (node.attributes.type !== "directory") return printEntry(opened.names.at(-1) ?? "", node, options);
  if (options.recursive !== true) return await listDirectory(client, node, options, signal);
  const failures = new FailureList(options.json, progress);
  for await (const { path, entries } of walkTree(client, node, { signal, onFailure: failures.note })) {
    for (const entry of entries) printEntry(join(path, nameText(entry.name)), entry, options);
  }
  failures.check("listed");
}

async function listDirectory(client: NfsClient, node: FileNode, options: ListOptions, signal: AbortSignal) {
  const entries: TreeEntry[] = [];
  for await (const page of client.readdir(node.handle, { signal })) {
    for (const { name, attributes, handle } of page.entries) {
      const known = attributes !== undefined && handle !== undefined;
      entries.push({
        name,
        ...(known ? { attributes, handle } : await client.lookup(node.handle, name, { signal })),
      });
    }
  }
  for (const entry of entries.sort((a, b) => nameText(a.name).localeCompare(nameText(b.name)))) {
    printEntry(nameText(entry.name), entry, options);
  }
}

function printEntry(name: string, { attributes }: FileNode, { json, long }: ListOptions): void {
  if (json) printJson({ name, ...attributes });
  else printLine(long ? longLine(name, attributes) : name);
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}/${name}`;
}

export async function stat(target: string, { json }: PrintOptions, { signal }: Work): Promise<void> {
  await using opened = await openTarget(target, signal);
  const { attributes } = await nodeOf(opened, signal);
  if (json) return printJson(attributes);
  printLine(longLine(opened.names.at(-1) ?? opened.client.name, attributes));
  printLine(`fsid ${attributes.fsid}  fileid ${attributes.fileid}  used ${attributes.usedBytes} bytes`);
}

export async function diskFree(target: string, { json }: PrintOptions, { signal }: Work): Promise<void> {
  await using opened = await openTarget(target, signal);
  const { handle } = await nodeOf(opened, signal);
  const space = await opened.client.fsstat(handle, { signal });
  if (json) return printJson(space);
  printLine(`${sizeText(space.availableBytes)} of ${sizeText(space.totalBytes)} available`);
  printLine(`${space.availableInodes} of ${space.totalInodes} inodes available`);
}

export async function diskUsage(
  target: string,
  { json }: PrintOptions,
  { signal, progress }: Work,
): Promise<void> {
  await using opened = await openTarget(target, signal);
  const node = await nodeOf(opened, signal);
  const failures = new FailureList(json, progress);
  progress.begin("counted");
  const options = { signal, onProgress: progress.show, onFailure: failures.note };
  const usage = await usageOfTree(opened.client, node, options);
  progress.end();
  report(json, usage, () =>
    printLine(
      `${sizeText(usage.usedBytes)} used by ${usage.entries} entries (${sizeText(usage.sizeBytes)} long)`,
    ),
  );
  failures.check("read, so the sum is too small");
}

export async function cat(target: string, { signal }: Work): Promise<void> {
  await using opened = await openTarget(target, signal);
  const { handle } = await nodeOf(opened, signal);
  const { readBytesMax } = opened.client.features;
  for (let offset = 0n; ; ) {
    const { data, eof } = await opened.client.read(handle, offset, readBytesMax, { signal });
    if (data.length > 0 && !process.stdout.write(data)) await once(process.stdout, "drain", { signal });
    offset += BigInt(data.length);
    if (eof) return;
    if (data.length === 0) throw nothingRead(target, offset);
  }
}
