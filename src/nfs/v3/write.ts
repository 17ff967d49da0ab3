import type { FileHandle, Stability, WriteResult } from "../file.ts";
import { readWritten, stabilities } from "../wire.ts";
import { skipWeakCacheData } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** WRITE (RFC 1813 §3.3.7) */
export function write(
  file: FileHandle,
  offset: bigint,
  data: Uint8Array,
  stability: Stability,
): Procedure<WriteResult> {
  return {
    number: 7,
    name: "WRITE",
    encode: (writer) => {
      writer.byteString(file).uint64(offset).uint32(data.length);
      writer.uint32(stabilities.indexOf(stability)).opaqueByReference(data);
    },
    decode: (reader) => {
      skipWeakCacheData(reader);
      return readWritten(reader, data.length);
    },
  };
}
