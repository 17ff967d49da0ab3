import { hasCode } from "../core/errors.ts";
import { type Nonce, nonceIn } from "../core/nonce.ts";
import { parseVolumeName, type VolumeName } from "../core/volume-id.ts";
import type { ShareEntry } from "../share/share.ts";
import { join } from "../share/share-path.ts";
import { readRecord } from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import { stagingPath } from "./layout.ts";
import { reclaimFrom } from "./path-claim.ts";

/** Removes one thing of staging, if it was left behind. @returns whether it was */
export async function sweep(
  context: ShareContext,
  entry: ShareEntry,
  graceMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const { share } = context;
  if (!(await isAbandoned(context, entry, graceMs))) return false;
  const path = join(stagingPath, entry.name);
  if (entry.name.endsWith(".json")) await reclaimFrom(share, path).catch(ignoreUnreadable);
  await share.removeTree(path, { signal });
  return true;
}

/** True for something of Berth's in staging that is old, and that no claim names. */
async function isAbandoned(
  { share, clock }: ShareContext,
  entry: ShareEntry,
  graceMs: number,
): Promise<boolean> {
  const owner = stagedOwner(entry.name);
  if (owner === undefined) return false;
  try {
    const { modifiedMs } = await share.stat(join(stagingPath, entry.name));
    if (clock.nowMs() - modifiedMs < graceMs) return false;
    if (owner.name === undefined) return true;
    return (await readRecord(share, owner.name))?.identity.nonce !== owner.nonce;
  } catch (reason) {
    if (hasCode(reason, "storage-no-entry", "failed-precondition")) return false; // gone, or not ours to judge
    throw reason;
  }
}

/** `<name>.<nonce>` is a tree for that volume, `<nonce>.json` and `.parent` are on their way; all else is not ours. */
function stagedOwner(fileName: string): { name: VolumeName | undefined; nonce: Nonce } | undefined {
  const dot = fileName.lastIndexOf(".");
  const [before, after] = [fileName.slice(0, dot), fileName.slice(dot + 1)];
  const isNamedAfterNonce = after === "json" || after === "parent";
  const nonce = nonceIn(isNamedAfterNonce ? before : after);
  if (nonce === undefined) return undefined;
  if (isNamedAfterNonce) return { name: undefined, nonce };
  try {
    return { name: parseVolumeName(before), nonce };
  } catch {
    return undefined; // somebody else's file
  }
}

/** What is half written is no claim. */
function ignoreUnreadable(reason: unknown): void {
  if (!hasCode(reason, "failed-precondition")) throw reason;
}
