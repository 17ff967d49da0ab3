import { BerthError, hasCode } from "../../core/errors.ts";
import { accessRights, type FileName, type FileNode, type NfsClient } from "../../nfs/index.ts";
import { type CopyReport, copyTree } from "../../nfs/trees/copy.ts";
import { removeTree } from "../../nfs/trees/remove.ts";
import { nameText } from "../../nfs/trees/tree-directory.ts";
import { walkTree } from "../../nfs/trees/walk.ts";
import type { PrintOptions } from "./inspect.ts";
import { nodeOf, openHolder, openTarget, placeOf, unlessMissing } from "./opened.ts";
import { entriesText, printLine } from "./output.ts";
import { report, type Total } from "./progress.ts";
import { FailureList, type Work } from "./run.ts";
import { parseTarget } from "./target.ts";

export interface MakeOptions extends PrintOptions {
  /** Those above too, and no failure when it is there. */
  readonly parents?: boolean;
}

export async function makeDirectory(
  target: string,
  { parents, json }: MakeOptions,
  work: Work,
): Promise<void> {
  const node = parents === true ? await makeAll(target, work) : await makeOne(target, work);
  report(json, node.attributes, () => {});
}

async function makeOne(target: string, work: Work): Promise<FileNode> {
  const { signal } = work;
  await using opened = await openHolder(target, work);
  const { directory, name, path } = await placeOf(opened, signal);
  return await opened.client.mkdir(directory.handle, name, { mode: 0o755 }, { signal, path });
}

async function makeAll(target: string, work: Work): Promise<FileNode> {
  await using opened = await openTarget(target, work);
  let node = opened.client.root;
  if (node.attributes.type !== "directory") {
    throw new BerthError("storage-exists", `${target} is there already, and is no directory`);
  }
  try {
    for (const name of opened.names) node = await ensureDirectory(opened.client, node, name, work.signal);
  } catch (error) {
    throw await opened.explain(error);
  }
  return node;
}

async function ensureDirectory(
  client: NfsClient,
  parent: FileNode,
  name: FileName,
  signal: AbortSignal,
): Promise<FileNode> {
  const options = { signal, path: nameText(name) };
  try {
    return await client.mkdir(parent.handle, name, { mode: 0o755 }, options);
  } catch (error) {
    // A pseudo-root is read-only also where the directory is there.
    if (!hasCode(error, "storage-exists", "storage-read-only")) throw error;
    const node = await unlessMissing(client.lookup(parent.handle, name, options));
    if (node?.attributes.type !== "directory") throw error;
    return node;
  }
}

export interface RemoveOptions extends PrintOptions {
  readonly recursive?: boolean;
}

/** With `recursive` all that can be removed is, and what cannot is told. */
export async function remove(target: string, { recursive, json }: RemoveOptions, work: Work): Promise<void> {
  const { signal, progress } = work;
  await using opened = await openHolder(target, work);
  const { client } = opened;
  const { directory, name, path, existing } = await placeOf(opened, signal);
  const { attributes } = existing ?? (await client.lookup(directory.handle, name, { signal, path }));
  if (attributes.type === "directory") {
    if (recursive !== true) throw isDirectory(target, "remove");
    await checkRemovable(client, target, directory, signal);
  }
  const failures = new FailureList(json, progress);
  progress.begin("removed");
  const options = { signal, onFailure: failures.note, onProgress: progress.show };
  const removed = await removeTree(client, directory.handle, name, options);
  progress.end();
  report(json, removed, () => {});
  failures.check("removed");
}

function isDirectory(target: string, verb: string): BerthError {
  return new BerthError("invalid-argument", `${target} is a directory: add -r to ${verb} it with all below`);
}

/** The last removal is the tree's own name: where that cannot succeed, nothing below shall be lost for it. */
async function checkRemovable(
  client: NfsClient,
  target: string,
  { handle }: FileNode,
  signal: AbortSignal,
): Promise<void> {
  const { modify, extend, delete: remove } = accessRights;
  if ((await client.access(handle, modify | extend | remove, { signal })) !== 0) return;
  throw new BerthError(
    "storage-access",
    `${target} cannot be removed, so nothing below it was: the directory that holds it may not be changed (it is read-only, or its owner is another: ?uid=…&gid=…)`,
  );
}

export interface CopyCommandOptions extends RemoveOptions {
  /** Goes on where an earlier run was cut. */
  readonly resume?: boolean;
}

export async function copy(
  source: string,
  target: string,
  options: CopyCommandOptions,
  work: Work,
): Promise<void> {
  const { signal, progress } = work;
  await using from = await openTarget(source, work);
  await using to = await openHolder(target, work);
  const node = await nodeOf(from, signal);
  if (node.attributes.type === "directory" && options.recursive !== true) {
    throw isDirectory(source, "copy");
  }
  const { directory, name } = await placeOf(to, signal);
  // Within one export the source is reached through the target's connection: only so the server can copy.
  const sameServer = parseTarget(source).host === parseTarget(target).host;
  const same = sameServer && (await sameFile(to.client, node, signal));
  const client = same ? to.client : from.client;
  const place = { client: to.client, directory: directory.handle, name };
  const failures = new FailureList(options.json, progress);
  const { type, sizeBytes } = node.attributes;
  progress.begin("copied", type === "file" ? { sizeBytes } : undefined);
  await using counting = countedWhile(client, node, options, work);
  const made = await copyTree(client, node, place, {
    signal,
    resume: options.resume === true,
    onProgress: progress.show,
    onFailure: failures.note,
  });
  await counting[Symbol.asyncDispose]();
  progress.end();
  report(options.json, made, () => printCopied(made));
  failures.check("copied");
}

/**
 * Counts a tree beside its copying, which takes many times as long, for whoever watches: then the time that is left is
 * known. Not where a part is there already: that goes so fast that the rest would be told wrong.
 */
function countedWhile(
  client: NfsClient,
  node: FileNode,
  { resume }: CopyCommandOptions,
  { signal, progress }: Work,
): AsyncDisposable {
  const stop = new AbortController();
  const counts = progress.shown && resume !== true && node.attributes.type === "directory";
  const counted = counts
    ? countTree(client, node, AbortSignal.any([signal, stop.signal])).then(
        (total) => progress.expect(total),
        () => {}, // the copy tells what is wrong
      )
    : Promise.resolve();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await counted;
    },
  };
}

/** As a copy counts: each name of a file, and no devices, sockets or pipes. */
async function countTree(client: NfsClient, node: FileNode, signal: AbortSignal): Promise<Total> {
  const total = { entries: 1, sizeBytes: 0n };
  for await (const { entries } of walkTree(client, node, { signal, onFailure: () => {} })) {
    for (const { attributes } of entries) {
      if (["file", "directory", "symlink"].includes(attributes.type)) total.entries++;
      if (attributes.type === "file") total.sizeBytes += attributes.sizeBytes;
    }
  }
  return total;
}

const wayTexts = [
  ["clone", "clone (the server shares the blocks)"],
  ["copy", "copy (the server copies)"],
  ["read-write", "read-write (through this machine)"],
  ["kept", "kept (from an earlier run)"],
] as const;

function printCopied({ entries, ways, specials, unknownOwners }: CopyReport): void {
  const used = wayTexts.flatMap(([way, text]) => (ways[way] > 0 ? [`${text}: ${ways[way]}`] : []));
  printLine(`${entriesText(entries)} copied; files by ${used.join(", ") || "none"}`);
  if (specials > 0) printLine(`${specials} devices, sockets or pipes were left out`);
  if (unknownOwners > 0) {
    const have = unknownOwners === 1 ? "has" : "have";
    printLine(
      `${entriesText(unknownOwners)} ${have} another owner: the server names owners that are no numbers`,
    );
  }
}

/** Whether a handle of another connection means the same thing on this one. */
async function sameFile(
  client: NfsClient,
  { handle, attributes }: FileNode,
  signal: AbortSignal,
): Promise<boolean> {
  if (attributes.fsid !== client.root.attributes.fsid) return false;
  try {
    const { fsid, fileid } = await client.getattr(handle, { signal });
    return fsid === attributes.fsid && fileid === attributes.fileid;
  } catch (error) {
    if (hasCode(error, "storage-stale", "storage-access", "storage-unsupported", "storage-io")) return false;
    throw error;
  }
}

/** Within one export; a file that is there is replaced, as by mv(1). */
export async function move(
  source: string,
  target: string,
  { json }: PrintOptions,
  work: Work,
): Promise<void> {
  const { signal } = work;
  await using from = await openHolder(source, work);
  await using to = await openHolder(target, work);
  const { directory, name, path } = await placeOf(from, signal);
  const place = await placeOf(to, signal);
  const sameServer = parseTarget(source).host === parseTarget(target).host;
  if (!sameServer || !(await sameFile(to.client, directory, signal))) {
    throw new BerthError(
      "invalid-argument",
      `${source} and ${target} lie in different exports: use cp -r, then rm -r`,
    );
  }
  const options = { signal, path, newPath: place.path };
  await to.client.rename(directory.handle, name, place.directory.handle, place.name, options);
  report(json, { moved: path }, () => {});
}
