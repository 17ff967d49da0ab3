import { assert } from "../core/assert.ts";
import { XdrWriter } from "../xdr/xdr-writer.ts";
import { rpcLimits } from "./limits.ts";

/** Whom a call acts as (AUTH_SYS, RFC 5531 §8.2 and appendix A). The server believes it. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  /** Further groups: at most 16. */
  readonly gids: readonly number[];
}

export const rootCredentials: Credentials = { uid: 0, gid: 0, gids: [] };

const authSys = 1;
const encodings = new WeakMap<Credentials, Buffer>();

/** Credential and (empty) verifier as they stand in a call header (RFC 5531 §9); made once per object. */
export function encodeCredentials(credentials: Credentials): Buffer {
  const known = encodings.get(credentials);
  if (known !== undefined) return known;
  const bytes = encode(credentials);
  encodings.set(credentials, bytes);
  return bytes;
}

function encode({ uid, gid, gids }: Credentials): Buffer {
  assert(gids.length <= rpcLimits.groupsMax, "AUTH_SYS carries at most 16 groups");
  const body = new XdrWriter().uint32(0).text("berth").uint32(uid).uint32(gid);
  body.array(gids, (each) => body.uint32(each));
  return new XdrWriter().uint32(authSys).opaque(body.bytes()).fixedOpaque(authNone).bytes();
}

/** Flavour 0 with an empty body (RFC 5531 §10.1). */
const authNone = new XdrWriter(8).uint32(0).uint32(0).bytes();
