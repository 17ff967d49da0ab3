import type { FileAttributes } from "../../nfs/index.ts";
import { type Credentials, rootCredentials } from "../../rpc/auth-sys.ts";

/** What a client tells of an owner whom a v4 server names by something that is no number (`FileAttributes.uid`). */
const unknownId = 0xffff_fffe;

/** Why whoever asked may not change a directory, as far as its attributes tell, and as whom it might go. */
export function whyNot({ uid, gid }: FileAttributes, credentials: Credentials = rootCredentials): string {
  const squash = `it is read-only, or the server maps uid ${credentials.uid} to another (root_squash)`;
  if (uid === credentials.uid || uid === unknownId) return squash;
  return `${squash}, or it is for its owner: ?uid=${uid}&gid=${gid}`;
}
