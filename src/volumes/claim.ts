import { BerthError, hasCode } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { Nonce } from "../core/nonce.ts";
import type { Share } from "../share/share.ts";
import type { SharePath } from "../share/share-path.ts";
import { stagedFilePath } from "./layout.ts";

/**
 * Gives `content` the name `path`, if nothing has that name yet: it is written whole and durable under a
 * name of its own, then linked. Of several who try, in whatever process, one gets "claimed".
 * @throws BerthError the storage error, when it cannot be known whether the name was claimed
 */
export async function claimFile(
  share: Share,
  path: SharePath,
  content: Uint8Array,
  nonce: Nonce,
): Promise<"claimed" | "taken"> {
  const temporary = stagedFilePath(nonce);
  try {
    return await makeClaim(share, temporary, path, content);
  } finally {
    await forget(share, temporary);
  }
}

/**
 * `claimFile` that leaves the name of its own behind. An answer may be lost after its step took effect: so whatever
 * it says, the name is read back. `content` holds a nonce, so equal bytes are ours.
 */
export async function makeClaim(
  share: Share,
  temporary: SharePath,
  path: SharePath,
  content: Uint8Array,
): Promise<"claimed" | "taken"> {
  const { failure } = await share.inOrder([
    { kind: "createFile", path: temporary, content },
    { kind: "link", existing: temporary, created: path },
  ]);
  return failure === undefined ? "claimed" : await outcomeOfClaim(share, path, content, failure);
}

/** Whose a name is that was to be claimed, after a step that failed or whose answer was lost. @throws that failure where it is nobody's */
export async function outcomeOfClaim(
  share: Share,
  path: SharePath,
  content: Uint8Array,
  failure: unknown,
): Promise<"claimed" | "taken"> {
  const found = await readIfThere(share, path);
  if (found !== undefined) return Buffer.from(found).equals(content) ? "claimed" : "taken";
  throw failure;
}

export async function readIfThere(share: Share, path: SharePath): Promise<Uint8Array | undefined> {
  try {
    return await share.readFile(path, limits.recordBytesMax);
  } catch (reason) {
    if (hasCode(reason, "storage-no-entry")) return undefined;
    if (hasCode(reason, "storage-too-large", "storage-unsupported", "storage-not-a-directory")) {
      throw new BerthError("failed-precondition", `record ${path} is not one of Berth's: ${reason.message}`, {
        cause: reason,
      });
    }
    throw reason;
  }
}

/** Removes a temporary name. What stays behind here is swept by the reaper: the outcome is decided already. */
export async function forget(share: Share, temporary: SharePath): Promise<void> {
  try {
    await share.removeFile(temporary);
  } catch (reason) {
    if (!(reason instanceof BerthError)) throw reason;
  }
}
