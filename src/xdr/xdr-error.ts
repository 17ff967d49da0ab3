import { BerthError } from "../core/errors.ts";

/** Bytes that are no XDR of the expected type (RFC 4506), or are longer than allowed. */
export class XdrError extends BerthError {
  constructor(message: string) {
    super("storage-io", `malformed XDR: ${message}; the peer is faulty or no server of this protocol`);
  }
}
