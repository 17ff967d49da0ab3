import { XdrError } from "../xdr/xdr-error.ts";
import { callError, type Site } from "./diagnosis.ts";
import type { DirectoryPage, DirectoryPosition } from "./file.ts";
import { nfsLimits } from "./limits.ts";
import { verifierBytes } from "./wire.ts";

/** Before the first entry (RFC 1813 §3.3.17, RFC 8881 §18.23.3). */
export const firstPosition: DirectoryPosition = { cookie: 0n, verifier: Buffer.alloc(verifierBytes) };

/** Where the next page begins. @throws XdrError when entries were told and yet it is the same place */
export function nextPosition(
  from: DirectoryPosition,
  cookie: bigint,
  verifier: Uint8Array,
  entries: number,
): DirectoryPosition {
  if (entries > 0 && cookie === from.cookie) throw new XdrError("a directory whose cookies do not advance");
  return { cookie, verifier };
}

/**
 * Page after page, each asked for before the caller has worked on the one before: so server and caller work
 * side by side. A server whose cookies go in circles would make any client read for ever: cookies are
 * remembered at steps that double (Brent), so a circle of any length is found with bounded memory.
 */
export async function* readPages(
  from: DirectoryPosition,
  site: Site,
  readPage: (from: DirectoryPosition) => Promise<DirectoryPage>,
): AsyncGenerator<DirectoryPage> {
  let pending: Promise<DirectoryPage> | undefined = readPage(from);
  let remembered: bigint | undefined;
  let pages = 0;
  let emptyPages = 0;
  while (pending !== undefined) {
    const page: DirectoryPage = await pending;
    const position = page.next;
    pages++;
    emptyPages = page.entries.length === 0 ? emptyPages + 1 : 0;
    if (emptyPages > nfsLimits.emptyPagesMax || (position !== undefined && position.cookie === remembered)) {
      throw callError(site, new XdrError("a directory that never ends: its cookies go in circles"), true);
    }
    if (Number.isInteger(Math.log2(pages))) remembered = position?.cookie;
    pending = position === undefined ? undefined : readPage(position);
    pending?.catch(() => {}); // thrown when its turn comes, if the caller does not leave before
    if (page.entries.length > 0) yield page;
  }
}
