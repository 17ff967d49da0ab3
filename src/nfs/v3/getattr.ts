import type { FileAttributes, FileHandle } from "../file.ts";
import { readFileAttributes } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** GETATTR (RFC 1813 §3.3.1) */
export function getattr(file: FileHandle): Procedure<FileAttributes> {
  return {
    number: 1,
    name: "GETATTR",
    encode: (writer) => void writer.byteString(file),
    decode: readFileAttributes,
  };
}
