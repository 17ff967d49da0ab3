import type { FileHandle } from "../file.ts";
import { verifierBytes } from "../wire.ts";
import { skipWeakCacheData } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** COMMIT (RFC 1813 §3.3.21) of the whole file: offset and count 0. */
export function commit(file: FileHandle): Procedure<Uint8Array> {
  return {
    number: 21,
    name: "COMMIT",
    encode: (writer) => void writer.byteString(file).uint64(0n).uint32(0),
    decode: (reader) => {
      skipWeakCacheData(reader);
      return Buffer.from(reader.fixedOpaque(verifierBytes));
    },
  };
}
