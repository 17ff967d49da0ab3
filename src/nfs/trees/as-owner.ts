import { hasCode } from "../../core/errors.ts";
import type { Credentials } from "../../rpc/auth-sys.ts";
import type { NfsClient, OperationOptions } from "../client.ts";
import type { TreeDirectory } from "./tree-directory.ts";

const ownerMayAll = 0o700;

/**
 * Runs an operation in a directory. Where access is refused it is tried as the directory's owner (AUTH_SYS
 * is believed, RFC 5531 §8.2), and then with the owner's permissions added to its mode, as `rm -rf` cannot.
 */
export async function asOwner<R>(
  client: NfsClient,
  directory: TreeDirectory,
  options: OperationOptions,
  operation: (options: OperationOptions) => Promise<R>,
): Promise<R> {
  const { credentials } = directory;
  try {
    return await operation(credentials === undefined ? options : { ...options, credentials });
  } catch (error) {
    if (!hasCode(error, "storage-access")) throw error;
  }
  const owner = ownerOf(directory);
  directory.credentials = owner;
  try {
    return await operation({ ...options, credentials: owner });
  } catch (error) {
    const { mode } = directory.attributes;
    if (!hasCode(error, "storage-access") || (mode & ownerMayAll) === ownerMayAll) throw error;
    await client.setattr(directory.handle, { mode: mode | ownerMayAll }, { ...options, credentials: owner });
    return await operation({ ...options, credentials: owner });
  }
}

function ownerOf({ attributes: { uid, gid } }: TreeDirectory): Credentials {
  return { uid, gid, gids: [] };
}
