import type { DirectoryEntry, FileName, FileNode, NfsClient } from "../../nfs/index.ts";
import { isGone } from "../../nfs/trees/traversal.ts";
import { nameText } from "../../nfs/trees/tree-directory.ts";
import { Failures } from "../../nfs/trees/tree-options.ts";
import { walkTree } from "../../nfs/trees/walk.ts";
import type { PrintOptions } from "./inspect.ts";
import { arrow, bytesOf, type Link, linkOf } from "./link.ts";
import { nodeOf, openTarget } from "./opened.ts";
import { jsonLineOf, lineOf, longLine, printAll, unknownLine } from "./output.ts";
import { FailureList, type Work } from "./run.ts";

export interface ListOptions extends PrintOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
}

/** An entry; without a node where the server tells nothing of it but its name. */
interface Listed {
  readonly name: FileName;
  readonly node?: FileNode;
}

/** Of more entries in one directory than this none waits for the others, to be put in order: memory is bounded. */
const sortedMax = 10_000;
const linksInFlightMax = 64;

/** One directory in order of names; a larger one, and with `recursive` a tree, in the order in which it comes. */
export async function list(target: string, options: ListOptions, work: Work): Promise<void> {
  const { signal, progress } = work;
  await using opened = await openTarget(target, work);
  const { client, name } = opened;
  const node = await nodeOf(opened, signal);
  const failures = new FailureList(options.json, progress);
  if (node.attributes.type !== "directory") await print(client, "", [{ name, node }], options, signal);
  else if (options.recursive === true) await listTree(client, node, options, failures, signal);
  else await listOne(client, node, options, failures, signal);
  failures.check("listed");
}

async function listTree(
  client: NfsClient,
  node: FileNode,
  options: ListOptions,
  failures: FailureList,
  signal: AbortSignal,
): Promise<void> {
  for await (const { path, entries } of walkTree(client, node, { signal, onFailure: failures.note })) {
    const listed = entries.map((entry) => ({ name: entry.name, node: entry }));
    await print(client, path === "" ? "" : `${path}/`, listed, options, signal);
  }
}

async function listOne(
  client: NfsClient,
  directory: FileNode,
  options: ListOptions,
  failures: FailureList,
  signal: AbortSignal,
): Promise<void> {
  const held: Listed[] = [];
  let many = false;
  for await (const { entries } of client.readdir(directory.handle, { signal })) {
    const listed = await Promise.all(
      entries.map((entry) => completed(client, directory, entry, failures, signal)),
    );
    held.push(...listed.filter((each) => each !== undefined));
    many ||= held.length > sortedMax;
    if (many) await print(client, "", held.splice(0), options, signal);
  }
  const sorted = held.sort((a, b) => nameText(a.name).localeCompare(nameText(b.name)));
  await print(client, "", sorted, options, signal);
}

/** What the server left out is looked up. @returns undefined when it is gone */
async function completed(
  client: NfsClient,
  { handle: directory }: FileNode,
  { name, attributes, handle }: DirectoryEntry,
  failures: FailureList,
  signal: AbortSignal,
): Promise<Listed | undefined> {
  if (attributes !== undefined && handle !== undefined) return { name, node: { attributes, handle } };
  try {
    return { name, node: await client.lookup(directory, name, { signal, path: nameText(name) }) };
  } catch (error) {
    if (isGone(error)) return undefined;
    new Failures(failures.note).note(error); // ends the list where it is not about this one
    return { name };
  }
}

/** @param above what stands before the names */
async function print(
  client: NfsClient,
  above: string,
  entries: readonly Listed[],
  options: ListOptions,
  signal: AbortSignal,
): Promise<void> {
  for (let start = 0; start < entries.length; start += linksInFlightMax) {
    const part = entries.slice(start, start + linksInFlightMax);
    const links =
      options.long === true
        ? await Promise.all(part.map(({ node }) => (node ? linkOf(client, node, signal) : {})))
        : [];
    const lines = part.map((entry, index) => entryLine(above, entry, links[index] ?? {}, options));
    await printAll(lines.join(""), signal);
  }
}

function entryLine(
  above: string,
  { name: own, node }: Listed,
  link: Link,
  { json, long }: ListOptions,
): string {
  const name = above + nameText(own);
  if (json) return jsonLineOf({ name, ...bytesOf("nameBytes", own), ...node?.attributes, ...link });
  if (!long) return lineOf(name);
  return lineOf(node === undefined ? unknownLine(name) : longLine(name + arrow(link), node.attributes));
}
