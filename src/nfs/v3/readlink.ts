import type { FileHandle, FileName } from "../file.ts";
import { nfsLimits } from "../limits.ts";
import { skipPostOpAttributes } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** READLINK (RFC 1813 §3.3.5) */
export function readlink(file: FileHandle): Procedure<FileName> {
  return {
    number: 5,
    name: "READLINK",
    encode: (writer) => void writer.byteString(file),
    decode: (reader) => {
      skipPostOpAttributes(reader);
      return reader.textOrBytes(nfsLimits.linkTargetBytesMax);
    },
  };
}
