import type { FileHandle, FileName } from "../file.ts";
import { skipWeakCacheData } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** REMOVE (RFC 1813 §3.3.12) of anything but a directory. */
export function remove(directory: FileHandle, name: FileName): Procedure<void> {
  return {
    number: 12,
    name: "REMOVE",
    once: true,
    encode: (writer) => void writer.byteString(directory).text(name),
    decode: skipWeakCacheData,
  };
}

/** RMDIR (RFC 1813 §3.3.13) */
export function rmdir(directory: FileHandle, name: FileName): Procedure<void> {
  return { ...remove(directory, name), number: 13, name: "RMDIR" };
}
