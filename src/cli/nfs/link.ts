import { hasCode } from "../../core/errors.ts";
import type { FileName, FileNode, NfsClient } from "../../nfs/index.ts";
import { nameText } from "../../nfs/trees/tree-directory.ts";

export interface Link {
  /** Where a symbolic link leads. */
  readonly target?: string;
}

/** Of anything but a symbolic link, nothing. */
export async function linkOf(
  client: NfsClient,
  { handle, attributes }: FileNode,
  signal: AbortSignal,
): Promise<Link> {
  if (attributes.type !== "symlink") return {};
  try {
    const target = await client.readlink(handle, { signal });
    return { target: nameText(target), ...bytesOf("targetBytes", target) };
  } catch (error) {
    // One that is gone, or is not for us, shall not end the list.
    if (hasCode(error, "storage-no-entry", "storage-stale", "storage-access", "storage-io")) return {};
    throw error;
  }
}

export function arrow({ target }: Link): string {
  return target === undefined ? "" : ` -> ${target}`;
}

/** What a program needs to name it: of what is no UTF-8 the bytes, in hexadecimal. */
export function bytesOf(field: string, name: FileName): Readonly<Record<string, string>> {
  return typeof name === "string" ? {} : { [field]: Buffer.from(name).toString("hex") };
}
