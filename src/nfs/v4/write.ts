import type { Stability, WriteResult } from "../file.ts";
import { readWritten, stabilities } from "../wire.ts";
import type { Operation } from "./operation.ts";
import { anonymousStateid } from "./stateid.ts";

/** WRITE (RFC 8881 §18.32) */
export function write(offset: bigint, data: Uint8Array, stability: Stability): Operation<WriteResult> {
  return {
    code: 38,
    name: "WRITE",
    encode: (writer) => {
      writer.fixedOpaque(anonymousStateid).uint64(offset).uint32(stabilities.indexOf(stability));
      writer.opaqueByReference(data);
    },
    decode: (reader) => readWritten(reader, data.length),
  };
}
