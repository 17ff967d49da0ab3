import type { FileHandle } from "../file.ts";
import { skipPostOpAttributes } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** ACCESS (RFC 1813 §3.3.4): which of these rights the caller has. */
export function access(file: FileHandle, rights: number): Procedure<number> {
  return {
    number: 4,
    name: "ACCESS",
    encode: (writer) => void writer.byteString(file).uint32(rights),
    decode: (reader) => {
      skipPostOpAttributes(reader);
      return reader.uint32();
    },
  };
}
