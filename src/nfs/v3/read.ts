import { XdrError } from "../../xdr/xdr-error.ts";
import type { FileHandle, ReadResult } from "../file.ts";
import { skipPostOpAttributes } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** READ (RFC 1813 §3.3.6) */
export function read(
  file: FileHandle,
  offset: bigint,
  lengthBytes: number,
  into?: Uint8Array,
): Procedure<ReadResult> {
  return {
    number: 6,
    name: "READ",
    encode: (writer) => void writer.opaque(file).uint64(offset).uint32(lengthBytes),
    decode: (reader) => {
      skipPostOpAttributes(reader);
      const count = reader.uint32();
      const eof = reader.boolean();
      const data = reader.opaqueToKeep(lengthBytes, into);
      if (count !== data.length) throw new XdrError("a count that is not that of the data");
      return { data, eof };
    },
  };
}
