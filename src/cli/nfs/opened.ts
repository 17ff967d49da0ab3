import { BerthError, hasCode } from "../../core/errors.ts";
import { connectNfs, explainRefusal, type FileNode, type NfsClient } from "../../nfs/index.ts";
import { type NfsTarget, parseTarget } from "./target.ts";

/** A connected target: the longest part of its path that the server lets us connect to, and the names below it. */
export interface Opened extends AsyncDisposable {
  readonly client: NfsClient;
  readonly names: readonly string[];
}

/** The directory that holds a target, and its name there. */
export interface Place {
  readonly directory: FileNode;
  readonly name: string;
}

/**
 * Connects to the target's path, or else to the directory above it, and so on: a path in a v3 export, in v4's
 * pseudo-root, and one that does not exist yet are all found so.
 * @throws BerthError the refusal of the whole path, when no part of it admits us
 */
export async function openTarget(text: string, signal: AbortSignal): Promise<Opened> {
  return await openAt(text, signal, 0);
}

/** The same, but never at the target itself: what holds it is to change. */
export async function openHolder(text: string, signal: AbortSignal): Promise<Opened> {
  return await openAt(text, signal, 1);
}

async function openAt(text: string, signal: AbortSignal, namesBelowMin: number): Promise<Opened> {
  const target = parseTarget(text);
  const names = target.path.split("/").filter((name) => name !== "");
  if (names.some((name) => name === "." || name === "..")) {
    throw new BerthError("invalid-argument", `target ${JSON.stringify(text)} has the component "." or ".."`);
  }
  let refusal: unknown;
  for (let length = Math.max(0, names.length - namesBelowMin); length >= 0; length--) {
    try {
      return opened(await connectAt(target, names.slice(0, length), signal), names.slice(length));
    } catch (error) {
      refusal ??= error;
      if (!hasCode(error, "storage-no-entry", "storage-not-a-directory", "storage-access")) break;
    }
  }
  throw await explainRefusal(refusal, { ...target, signal });
}

/** @throws BerthError `storage-no-entry` */
export async function nodeOf({ client, names }: Opened, signal: AbortSignal): Promise<FileNode> {
  if (names.length === 0) return client.root;
  return await client.resolve(client.root.handle, names, { signal, path: names.join("/") });
}

/** @throws BerthError `invalid-argument` for the export's own root, which lies in no directory that we reach */
export async function placeOf(opened: Opened, signal: AbortSignal): Promise<Place> {
  const name = opened.names.at(-1);
  if (name === undefined) {
    throw new BerthError(
      "invalid-argument",
      `${opened.client.name} is a whole export or a directory given as one: name something in it`,
    );
  }
  return { directory: await nodeOf({ ...opened, names: opened.names.slice(0, -1) }, signal), name };
}

async function connectAt(
  target: NfsTarget,
  names: readonly string[],
  signal: AbortSignal,
): Promise<NfsClient> {
  return await connectNfs({ ...target, path: `/${names.join("/")}`, signal });
}

function opened(client: NfsClient, names: readonly string[]): Opened {
  return { client, names, [Symbol.asyncDispose]: async () => await client.close() };
}
