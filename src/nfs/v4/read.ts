import type { ReadResult } from "../file.ts";
import type { Operation } from "./operation.ts";
import { anonymousStateid } from "./stateid.ts";

/** READ (RFC 8881 §18.22) */
export function read(offset: bigint, lengthBytes: number, into?: Uint8Array): Operation<ReadResult> {
  return {
    code: 25,
    name: "READ",
    encode: (writer) => void writer.fixedOpaque(anonymousStateid).uint64(offset).uint32(lengthBytes),
    decode: (reader) => ({ eof: reader.boolean(), data: reader.opaqueToKeep(lengthBytes, into) }),
  };
}
