import { BerthError, hasCode } from "../../core/errors.ts";
import { accessRights, type FileName, type FileNode, type NfsClient } from "../../nfs/index.ts";
import { removeTree } from "../../nfs/trees/remove.ts";
import { nameText } from "../../nfs/trees/tree-directory.ts";
import type { PrintOptions } from "./inspect.ts";
import { cutShort } from "./left.ts";
import { openHolder, openTarget, type Place, placeOf, unlessMissing } from "./opened.ts";
import { report } from "./progress.ts";
import { FailureList, type Work } from "./run.ts";
import { sameFile } from "./same-file.ts";
import { parseTarget } from "./target.ts";
import { whyNot } from "./why-not.ts";

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
    const what = opened.names.length === 0 ? target : opened.client.name;
    throw new BerthError("storage-exists", `${what} is there already, and is no directory`);
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
  const removed = await removeTree(client, directory.handle, name, options).catch((reason: unknown) => {
    if (progress.entries === 0 && !signal.aborted) throw reason;
    throw cutShort(work, reason, "what was removed is gone: the same command removes the rest");
  });
  progress.end();
  report(json, removed, () => {});
  failures.check("removed");
}

export function isDirectory(target: string, verb: string): BerthError {
  return new BerthError("invalid-argument", `${target} is a directory: add -r to ${verb} it with all below`);
}

/** The last removal is the tree's own name: where that cannot succeed, nothing below shall be lost for it. */
async function checkRemovable(
  client: NfsClient,
  target: string,
  { handle, attributes }: FileNode,
  signal: AbortSignal,
): Promise<void> {
  const { modify, extend, delete: remove } = accessRights;
  if ((await client.access(handle, modify | extend | remove, { signal })) !== 0) return;
  throw new BerthError(
    "storage-access",
    `${target} cannot be removed, so nothing below it was: the directory that holds it may not be changed (${whyNot(attributes, parseTarget(target).credentials)})`,
  );
}

/** Within one export; as by rename(2) a file that is there is replaced, and a directory that is empty. */
export async function move(
  source: string,
  target: string,
  { json }: PrintOptions,
  work: Work,
): Promise<void> {
  const { signal } = work;
  await using from = await openHolder(source, work);
  await using to = await openHolder(target, work);
  const old = await placeOf(from, signal);
  const place = await placeOf(to, signal);
  const sameServer = parseTarget(source).host === parseTarget(target).host;
  if (!sameServer || !(await sameFile(to.client, old.directory, signal))) {
    throw new BerthError(
      "invalid-argument",
      `${source} and ${target} lie in different exports: use cp -r, then rm -r`,
    );
  }
  refuseOtherKind(old, place, target);
  const { directory, name, path } = old;
  const options = { signal, path, newPath: place.path };
  const renaming = to.client.rename(directory.handle, name, place.directory.handle, place.name, options);
  await renaming.catch((reason: unknown) => {
    const full = place.existing !== undefined && hasCode(reason, "storage-not-empty", "storage-exists");
    throw full ? taken(target, "is a directory with something in it: name a place in it") : reason;
  });
  report(json, { moved: path }, () => {});
}

/** Servers tell of it in words that do not say which of the two is meant. @throws BerthError `storage-exists` */
function refuseOtherKind(old: Place, { existing }: Place, target: string): void {
  if (old.existing === undefined || existing === undefined) return;
  const moved = old.existing.attributes.type === "directory";
  const there = existing.attributes.type === "directory";
  if (!moved && there) throw taken(target, "is a directory: name a place in it");
  if (moved && !there)
    throw taken(target, "is there already, and is no directory: remove it, or name another");
}

function taken(target: string, what: string): BerthError {
  return new BerthError("storage-exists", `${target} ${what}`);
}
