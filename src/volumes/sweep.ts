import { hasCode } from "../core/errors.ts";
import { type Nonce, nonceIn } from "../core/nonce.ts";
import { parseVolumeName, type VolumeName } from "../core/volume-id.ts";
import type { ShareEntry } from "../share/share.ts";
import { join } from "../share/share-path.ts";
import { readRecord } from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import { stagingPath } from "./layout.ts";
import { reclaimFrom } from "./lost-claims.ts";

/**
 * Removes from staging what was left behind: what is of Berth, claimed by nobody, and so old that nobody can still be
 * at it. The server's clock is not ours, and may be hours off: so a thing's age is what the server's own times say (that
 * of staging itself changes with each entry), or how long it has been seen from here, whichever is more.
 */
export class Sweeper {
  readonly #context: ShareContext;
  readonly #graceMs: number;
  /** When each entry was first seen, by our clock. */
  #firstSeenMs = new Map<string, number>();

  constructor(context: ShareContext, graceMs: number) {
    this.#context = context;
    this.#graceMs = graceMs;
  }

  /** @param entries all that is in staging @returns how many things were removed */
  async sweep(entries: readonly ShareEntry[], signal: AbortSignal): Promise<number> {
    const nowMs = this.#context.clock.nowMs();
    this.#firstSeenMs = new Map(entries.map(({ name }) => [name, this.#firstSeenMs.get(name) ?? nowMs]));
    if (entries.length === 0) return 0;
    const { modifiedMs: serverMs } = await this.#context.share.stat(stagingPath);
    let swept = 0;
    for (const { name } of entries) {
      signal.throwIfAborted();
      if (!(await this.#isAbandoned(name, nowMs, serverMs))) continue;
      const path = join(stagingPath, name);
      if (name.endsWith(".json")) await reclaimFrom(this.#context.share, path);
      await this.#context.share.removeTree(path, { signal });
      swept += 1;
    }
    return swept;
  }

  async #isAbandoned(name: string, nowMs: number, serverMs: number): Promise<boolean> {
    const { share } = this.#context;
    const owner = stagedOwner(name);
    if (owner === undefined) return false;
    try {
      const { modifiedMs } = await share.stat(join(stagingPath, name));
      const seenMs = nowMs - (this.#firstSeenMs.get(name) ?? nowMs);
      if (Math.max(seenMs, serverMs - modifiedMs) < this.#graceMs) return false;
      if (owner.name === undefined) return true;
      return (await readRecord(share, owner.name))?.identity.nonce !== owner.nonce;
    } catch (reason) {
      if (hasCode(reason, "storage-no-entry", "failed-precondition")) return false; // gone, or not ours to judge
      throw reason;
    }
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
