import type { ReadResult } from "../file.ts";
import type { Take } from "../taking.ts";
import type { Operation } from "./operation.ts";
import { anonymousStateid } from "./stateid.ts";

/** READ (RFC 8881 §18.22) */
export function read<Data>(
  offset: bigint,
  lengthBytes: number,
  take: Take<Data>,
): Operation<ReadResult<Data>> {
  return {
    code: 25,
    name: "READ",
    encode: (writer) => void writer.fixedOpaque(anonymousStateid).uint64(offset).uint32(lengthBytes),
    decode: (reader) => ({ eof: reader.boolean(), data: take(reader.opaque(lengthBytes)) }),
  };
}
