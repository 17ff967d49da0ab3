import { once } from "node:events";
import { hasCode } from "../../core/errors.ts";
import { sizeText } from "../../core/size-text.ts";
import type { FileName, FileNode, NfsClient } from "../../nfs/index.ts";
import { nameText, type TreeEntry } from "../../nfs/trees/tree-directory.ts";
import { usageOfTree } from "../../nfs/trees/usage.ts";
import { walkTree } from "../../nfs/trees/walk.ts";
import { nothingRead } from "./nothing-read.ts";
import { fileOf, nodeOf, openTarget } from "./opened.ts";
import { entriesText, longLine, printJson, printLine } from "./output.ts";
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
export async function list(target: string, options: ListOptions, work: Work): Promise<void> {
  const { signal, progress } = work;
  await using opened = await openTarget(target, work);
  const { client, name } = opened;
  const node = await nodeOf(opened, signal);
  if (node.attributes.type !== "directory")
    return await print(client, "", [{ name, ...node }], options, signal);
  if (options.recursive !== true) {
    return await print(client, "", await entriesOf(client, node, signal), options, signal);
  }
  const failures = new FailureList(options.json, progress);
  for await (const { path, entries } of walkTree(client, node, { signal, onFailure: failures.note })) {
    await print(client, path === "" ? "" : `${path}/`, entries, options, signal);
  }
  failures.check("listed");
}

async function entriesOf(client: NfsClient, node: FileNode, signal: AbortSignal): Promise<TreeEntry[]> {
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
  return entries.sort((a, b) => nameText(a.name).localeCompare(nameText(b.name)));
}

/** @param above what stands before the names */
async function print(
  client: NfsClient,
  above: string,
  entries: readonly TreeEntry[],
  { json, long }: ListOptions,
  signal: AbortSignal,
): Promise<void> {
  for (let start = 0; start < entries.length; start += linksInFlightMax) {
    const part = entries.slice(start, start + linksInFlightMax);
    const links = long === true ? await Promise.all(part.map((entry) => linkOf(client, entry, signal))) : [];
    for (const [index, entry] of part.entries()) {
      const name = above + nameText(entry.name);
      const link = links[index] ?? {};
      if (json) printJson({ name, ...bytesOf("nameBytes", entry.name), ...entry.attributes, ...link });
      else printLine(long ? longLine(name + arrow(link), entry.attributes) : name);
    }
  }
}

const linksInFlightMax = 64;

/** What a program needs to name it: of what is no UTF-8 the bytes, in hexadecimal. */
function bytesOf(field: string, name: FileName): Readonly<Record<string, string>> {
  return typeof name === "string" ? {} : { [field]: Buffer.from(name).toString("hex") };
}

interface Link {
  /** Where a symbolic link leads. */
  readonly target?: string;
}

async function linkOf(
  client: NfsClient,
  { handle, attributes }: FileNode,
  signal: AbortSignal,
): Promise<Link> {
  if (attributes.type !== "symlink") return {};
  try {
    const target = await client.readlink(handle, { signal });
    return { target: nameText(target), ...bytesOf("targetBytes", target) };
  } catch (error) {
    // One that is gone, or is not for us, shall not end the list.
    if (hasCode(error, "storage-no-entry", "storage-stale", "storage-access", "storage-io")) return {};
    throw error;
  }
}

function arrow({ target }: Link): string {
  return target === undefined ? "" : ` -> ${target}`;
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
  report(json, usage, () =>
    printLine(
      `${sizeText(usage.usedBytes)} used by ${entriesText(usage.entries)} (${sizeText(usage.sizeBytes)} long)`,
    ),
  );
  failures.check("read, so the sum is too small");
}

export async function cat(target: string, work: Work): Promise<void> {
  const { signal } = work;
  await using opened = await openTarget(target, work);
  const { handle } = await fileOf(opened, target, signal);
  const { readBytesMax } = opened.client.features;
  for (let offset = 0n; ; ) {
    const { data, eof } = await opened.client.read(handle, offset, readBytesMax, { signal });
    if (data.length > 0 && !process.stdout.write(data)) await once(process.stdout, "drain", { signal });
    offset += BigInt(data.length);
    if (eof) return;
    if (data.length === 0) throw nothingRead(target, offset);
  }
}
