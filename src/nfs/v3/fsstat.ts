import type { FileHandle, FileSystemSpace } from "../file.ts";
import { skipPostOpAttributes } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** FSSTAT (RFC 1813 §3.3.18) */
export function fsstat(file: FileHandle): Procedure<FileSystemSpace> {
  return {
    number: 18,
    name: "FSSTAT",
    encode: (writer) => void writer.byteString(file),
    decode: (reader) => {
      skipPostOpAttributes(reader);
      return {
        totalBytes: reader.uint64(),
        freeBytes: reader.uint64(),
        availableBytes: reader.uint64(),
        totalInodes: reader.uint64(),
        freeInodes: reader.uint64(),
        availableInodes: reader.uint64(),
      };
    },
  };
}
