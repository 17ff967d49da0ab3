import { BerthError, hasCode } from "../../core/errors.ts";
import {
  connectNfs,
  explainRefusal,
  type FileName,
  type FileNode,
  listExports,
  type NfsClient,
} from "../../nfs/index.ts";
import { nfsLimits } from "../../nfs/limits.ts";
import { nameText } from "../../nfs/trees/tree-directory.ts";
import type { Work } from "./run.ts";
import { type NfsTarget, parseTarget } from "./target.ts";

/** A connected target: the longest part of its path that the server lets us connect to, and the names below it. */
export interface Opened extends AsyncDisposable {
  readonly client: NfsClient;
  readonly names: readonly FileName[];
  /** The target's own name; of a whole server the server's. */
  readonly name: FileName;
  /** What to tell of a failure below: perhaps why the server had refused a longer part. */
  explain(error: unknown): Promise<unknown>;
}

/** The directory that holds a target, its name there, and what has this name. */
export interface Place {
  readonly directory: FileNode;
  readonly name: FileName;
  /** The name, for people. */
  readonly path: string;
  readonly existing: FileNode | undefined;
}

type Connecting = Pick<Work, "signal" | "log">;

/**
 * Connects to the target's path, or else to the directory above it, and so on: a path in a v3 export, in v4's
 * pseudo-root, and one that does not exist yet are all found so.
 * @throws BerthError the refusal of the whole path, when no part of it admits us
 */
export async function openTarget(text: string, work: Connecting): Promise<Opened> {
  return await openAt(text, work, 0);
}

/**
 * The same, but never at the target itself: what holds it is to change.
 * @throws BerthError `invalid-argument` where only the target itself admits us
 */
export async function openHolder(text: string, work: Connecting): Promise<Opened> {
  try {
    return await openAt(text, work, 1);
  } catch (error) {
    if (!hasCode(error, ...refusals)) throw error;
    const target = parseTarget(text);
    const whole = await tryConnect(target, target.path, work);
    if (whole === undefined) throw error;
    await whole.close();
    throw wholeExport(whole.name);
  }
}

/** Undefined where the server does not admit us. */
async function tryConnect(
  target: NfsTarget,
  path: string,
  { signal, log }: Connecting,
): Promise<NfsClient | undefined> {
  try {
    return await connectNfs({ ...target, path, signal, log });
  } catch (error) {
    if (hasCode(error, ...refusals)) return undefined;
    throw error;
  }
}

const refusals = ["storage-no-entry", "storage-not-a-directory", "storage-access"] as const;

async function openAt(text: string, work: Connecting, namesBelowMin: number): Promise<Opened> {
  const target = parseTarget(text);
  const { names } = target;
  let refusal: unknown;
  for (let length = connectableMax(names, namesBelowMin); length >= 0; length--) {
    try {
      const client = await connectAt(target, length, work);
      const explain = async (error: unknown) =>
        isMissing(error) ? await explainMissing(error, refusal, target, client, length, work) : error;
      return {
        ...{ client, names: names.slice(length), explain },
        name: names.at(-1) ?? client.name,
        [Symbol.asyncDispose]: async () => await client.close(),
      };
    } catch (error) {
      refusal ??= error;
      if (!hasCode(error, ...refusals)) break;
    }
  }
  throw await explainRefusal(refusal, { ...target, signal: work.signal });
}

/** How many of the names can be connected to: a name that is no text, or beyond what MOUNT takes, is only looked up. */
function connectableMax(names: readonly FileName[], namesBelowMin: number): number {
  const most = Math.max(0, names.length - namesBelowMin);
  let lengthBytes = 0;
  for (const [index, name] of names.slice(0, most).entries()) {
    lengthBytes += 1 + Buffer.byteLength(name);
    if (typeof name !== "string" || lengthBytes > nfsLimits.exportPathBytesMax) return index;
  }
  return most;
}

async function connectAt(target: NfsTarget, length: number, { signal, log }: Connecting): Promise<NfsClient> {
  const path = `/${target.names.slice(0, length).map(nameText).join("/")}`;
  return await connectNfs({ ...target, path, signal, log });
}

function isMissing(error: unknown): boolean {
  return hasCode(error, "storage-no-entry", "storage-access", "storage-read-only");
}

/**
 * In its pseudo-root a server of version 4 hides the exports that are not for us. Where one lies on the rest of the way
 * it is what is missing, and not a file: the refusal of it tells why.
 */
async function explainMissing(
  error: unknown,
  refusal: unknown,
  target: NfsTarget,
  client: NfsClient,
  length: number,
  work: Connecting,
): Promise<unknown> {
  if (refusal === undefined) return error;
  const options = { ...target, signal: work.signal, timeoutMs: nfsLimits.explainMsMax };
  const exports = await listExports(options).catch(() => []); // then it stays as the server said it
  const holders = exports.map(({ path }) => partsOf(path)).filter((parts) => isWithin(target.names, parts));
  const hidden = holders.find((parts) => parts.length > length);
  if (hidden !== undefined)
    return await explainRefusal(refusal, { ...options, path: `/${hidden.join("/")}` });
  const unlisted = holders.length === 0 && (await isPseudo(client, target, length, work));
  return unlisted ? await explainRefusal(refusal, options) : error;
}

function partsOf(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "");
}

function isWithin(names: readonly FileName[], above: readonly string[]): boolean {
  return above.every((part, index) => part === names[index]);
}

/** Whether it is connected to what lies above the exports. */
async function isPseudo(
  client: NfsClient,
  target: NfsTarget,
  length: number,
  work: Connecting,
): Promise<boolean> {
  if (client.features.version === "3") return false;
  if (length === 0) return true;
  const top = await tryConnect(target, "/", work);
  await top?.close();
  return top?.root.attributes.fsid === client.root.attributes.fsid;
}

/** @throws BerthError `storage-no-entry` */
export async function nodeOf(opened: Opened, signal: AbortSignal): Promise<FileNode> {
  const { client, names } = opened;
  if (names.length === 0) return client.root;
  try {
    return await client.resolve(client.root.handle, names, { signal, path: names.map(nameText).join("/") });
  } catch (error) {
    throw await opened.explain(error);
  }
}

/** @throws BerthError `invalid-argument` for what is no regular file */
export async function fileOf(opened: Opened, text: string, signal: AbortSignal): Promise<FileNode> {
  const node = await nodeOf(opened, signal);
  const { type } = node.attributes;
  if (type === "file") return node;
  throw new BerthError("invalid-argument", `${text} is no regular file but a ${type}: name a file`);
}

/**
 * Where something is to be made, replaced or removed.
 * @throws BerthError `invalid-argument` for an export's root, in every version: what holds it is not the server's disk
 */
export async function placeOf(opened: Opened, signal: AbortSignal): Promise<Place> {
  const { client, names } = opened;
  const name = names.at(-1);
  if (name === undefined) throw wholeExport(client.name);
  const path = nameText(name);
  const directory = await nodeOf({ ...opened, names: names.slice(0, -1) }, signal);
  const existing = await unlessMissing(client.lookup(directory.handle, name, { signal, path }));
  if (existing !== undefined && existing.attributes.fsid !== directory.attributes.fsid) {
    throw wholeExport(`${client.name}: ${JSON.stringify(path)}`);
  }
  return { directory, name, path, existing };
}

/** Undefined where there is nothing of this name. */
export async function unlessMissing(lookup: Promise<FileNode>): Promise<FileNode | undefined> {
  try {
    return await lookup;
  } catch (error) {
    if (hasCode(error, "storage-no-entry")) return undefined;
    throw error;
  }
}

function wholeExport(what: string): BerthError {
  return new BerthError(
    "invalid-argument",
    `${what} is the root of an export or of another file system: name something in it`,
  );
}
