import { XdrError } from "../../xdr/xdr-error.ts";
import type { FileHandle, ReadResult } from "../file.ts";
import type { Take } from "../taking.ts";
import { skipPostOpAttributes } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** READ (RFC 1813 §3.3.6) */
export function read<Data>(
  file: FileHandle,
  offset: bigint,
  lengthBytes: number,
  take: Take<Data>,
): Procedure<ReadResult<Data>> {
  return {
    number: 6,
    name: "READ",
    encode: (writer) => void writer.byteString(file).uint64(offset).uint32(lengthBytes),
    decode: (reader) => {
      skipPostOpAttributes(reader);
      const count = reader.uint32();
      const eof = reader.boolean();
      const bytes = reader.opaque(lengthBytes);
      if (count !== bytes.length) throw new XdrError("a count that is not that of the data");
      return { data: take(bytes), eof };
    },
  };
}
