import type { XdrReader } from "../../xdr/xdr-reader.ts";

/** `change_info4` (RFC 8881 §3.3.3), of which nothing here makes use: we cache no directory. */
export function skipChangeInfo(reader: XdrReader): void {
  reader.skip(4 + 8 + 8);
}
