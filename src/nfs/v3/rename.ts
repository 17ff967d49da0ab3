import type { FileHandle, FileName } from "../file.ts";
import { skipWeakCacheData } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** RENAME (RFC 1813 §3.3.14) */
export function rename(
  fromDirectory: FileHandle,
  from: FileName,
  toDirectory: FileHandle,
  to: FileName,
): Procedure<void> {
  return {
    number: 14,
    name: "RENAME",
    once: true,
    encode: (writer) => void writer.byteString(fromDirectory).text(from).byteString(toDirectory).text(to),
    decode: (reader) => {
      skipWeakCacheData(reader);
      skipWeakCacheData(reader);
    },
  };
}
