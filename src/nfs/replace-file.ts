import { BerthError, hasCode } from "../core/errors.ts";
import { randomNonce } from "../core/nonce.ts";
import type { NfsClient, OperationOptions } from "./client.ts";
import type { AttributeChanges, FileHandle, FileName, FileNode } from "./file.ts";
import { nfsLimits } from "./limits.ts";
import { NfsError } from "./nfs-error.ts";

/**
 * A whole file in the place of what has its name, or of nothing: `fill` gives it its content, durably, under a name of its
 * own (`.berth-<nonce>`), then it is renamed. Whoever opens the name meets the old file or the new one, whole, whatever
 * is cut meanwhile; after a failure the new one is removed, unless the message says otherwise.
 * @param fill such as `(file) => writeBlocks(client, file, content)`
 * @throws BerthError also what `fill` throws; `storage-unsupported` or `storage-exists` where a directory has the name
 */
export async function replaceFile(
  client: NfsClient,
  directory: FileHandle,
  name: FileName,
  attributes: AttributeChanges,
  fill: (file: FileHandle) => Promise<unknown>,
  options: OperationOptions = {},
): Promise<FileNode> {
  const temporary = `.berth-${randomNonce()}`;
  const { handle } = await client.create(directory, temporary, attributes, undefined, options);
  try {
    await fill(handle);
    await place(client, directory, temporary, name, options);
  } catch (reason) {
    throw await withoutTemporary(client, directory, temporary, reason);
  }
  return { handle, attributes: await client.getattr(handle, options) };
}

/** The temporary name is nobody else's: once it is gone the renaming was done, whatever became of its answer. */
async function place(
  client: NfsClient,
  directory: FileHandle,
  temporary: FileName,
  name: FileName,
  options: OperationOptions,
): Promise<void> {
  try {
    await client.rename(directory, temporary, directory, name, options);
  } catch (reason) {
    if (!(reason instanceof NfsError) || reason.outcome !== "unknown") throw reason;
    const left = await client.lookup(directory, temporary, options).catch((error: unknown) => error);
    if (!hasCode(left, "storage-no-entry")) throw reason;
  }
}

/** Also when the caller's signal has fired. @returns the reason, which tells if the file is left */
async function withoutTemporary(
  client: NfsClient,
  directory: FileHandle,
  temporary: string,
  reason: unknown,
): Promise<unknown> {
  try {
    await client.remove(directory, temporary, { timeoutMs: nfsLimits.cleanUpMsMax });
  } catch (failure) {
    if (hasCode(failure, "storage-no-entry")) return reason;
    const { code, message } = BerthError.from(reason);
    const told = `${message}; ${JSON.stringify(temporary)} may be left beside it: remove it`;
    if (reason instanceof NfsError) return new NfsError(code, told, reason, { cause: reason });
    return new BerthError(code, told, { cause: reason });
  }
  return reason;
}
