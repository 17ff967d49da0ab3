import { BerthError, hasCode } from "../../core/errors.ts";
import type { FileNode, NfsClient } from "../../nfs/index.ts";
import { copyTree } from "../../nfs/trees/copy.ts";
import { removeTree } from "../../nfs/trees/remove.ts";
import type { PrintOptions } from "./inspect.ts";
import { nodeOf, openHolder, openTarget, placeOf } from "./opened.ts";
import { printJson, printLine, progressLine } from "./output.ts";
import { parseTarget } from "./target.ts";

export interface MakeOptions {
  /** Those above too, and no failure when it is there. */
  readonly parents?: boolean;
}

export async function makeDirectory(
  target: string,
  { parents }: MakeOptions,
  signal: AbortSignal,
): Promise<void> {
  await using opened = await openHolder(target, signal);
  const { client, names } = opened;
  if (parents !== true) {
    const { directory, name } = await placeOf(opened, signal);
    await client.mkdir(directory.handle, name, { mode: 0o755 }, { signal, path: name });
    return;
  }
  let node = client.root;
  for (const name of names) node = await ensureDirectory(client, node, name, signal);
}

async function ensureDirectory(
  client: NfsClient,
  parent: FileNode,
  name: string,
  signal: AbortSignal,
): Promise<FileNode> {
  try {
    return await client.mkdir(parent.handle, name, { mode: 0o755 }, { signal, path: name });
  } catch (error) {
    if (!hasCode(error, "storage-exists")) throw error;
    const node = await client.lookup(parent.handle, name, { signal });
    if (node.attributes.type !== "directory") throw error;
    return node;
  }
}

export interface RemoveOptions extends PrintOptions {
  readonly recursive?: boolean;
}

/** With `recursive` all that can be removed is, and what cannot is told. */
export async function remove(
  target: string,
  { recursive, json }: RemoveOptions,
  signal: AbortSignal,
): Promise<void> {
  await using opened = await openHolder(target, signal);
  const { client } = opened;
  const { directory, name } = await placeOf(opened, signal);
  const { attributes } = await client.lookup(directory.handle, name, { signal, path: name });
  if (attributes.type === "directory" && recursive !== true) {
    throw new BerthError("invalid-argument", `${target} is a directory: add -r to remove it with all below`);
  }
  const line = progressLine();
  const failures: BerthError[] = [];
  const onFailure = (failure: BerthError) => {
    if (failures.length < 10) failures.push(failure);
  };
  const removed = await removeTree(client, directory.handle, name, {
    signal,
    onFailure,
    onProgress: line.show,
  });
  line.end();
  if (json) printJson(removed);
  const [first] = failures;
  if (first !== undefined) throw first;
}

export async function copy(
  source: string,
  target: string,
  options: RemoveOptions,
  signal: AbortSignal,
): Promise<void> {
  await using from = await openTarget(source, signal);
  await using to = await openHolder(target, signal);
  const node = await nodeOf(from, signal);
  if (node.attributes.type === "directory" && options.recursive !== true) {
    throw new BerthError("invalid-argument", `${source} is a directory: add -r to copy it with all below`);
  }
  const line = progressLine();
  const { directory, name } = await placeOf(to, signal);
  // Within one export the source is reached through the target's connection: only so the server can copy.
  const sameServer = parseTarget(source).host === parseTarget(target).host;
  const same = sameServer && (await sameFile(to.client, node, signal));
  const client = same ? to.client : from.client;
  const place = { client: to.client, directory: directory.handle, name };
  const report = await copyTree(client, node, place, { signal, onProgress: line.show });
  line.end();
  if (options.json) return printJson(report);
  const ways = Object.entries(report.ways).filter(([, count]) => count > 0);
  printLine(
    `${report.entries} entries copied; files by ${ways.map(([way, count]) => `${way}: ${count}`).join(", ") || "none"}`,
  );
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
export async function move(source: string, target: string, signal: AbortSignal): Promise<void> {
  await using from = await openHolder(source, signal);
  await using to = await openHolder(target, signal);
  const { directory, name } = await placeOf(from, signal);
  const place = await placeOf(to, signal);
  const sameServer = parseTarget(source).host === parseTarget(target).host;
  if (!sameServer || !(await sameFile(to.client, directory, signal))) {
    throw new BerthError(
      "invalid-argument",
      `${source} and ${target} lie in different exports: use cp -r, then rm -r`,
    );
  }
  await to.client.rename(directory.handle, name, place.directory.handle, place.name, { signal, path: name });
}
