import type { FileHandle, FileName } from "../file.ts";
import { skipPostOpAttributes, skipWeakCacheData } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** LINK (RFC 1813 §3.3.15) */
export function link(file: FileHandle, directory: FileHandle, name: FileName): Procedure<void> {
  return {
    number: 15,
    name: "LINK",
    once: true,
    encode: (writer) => void writer.byteString(file).byteString(directory).text(name),
    decode: (reader) => {
      skipPostOpAttributes(reader);
      skipWeakCacheData(reader);
    },
  };
}
