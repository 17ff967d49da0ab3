import type { FileAttributes, FileHandle, FileName } from "../file.ts";
import { readPostOpAttributes } from "./attributes.ts";
import { type Procedure, readFileHandle } from "./procedure.ts";

export interface Found {
  readonly handle: FileHandle;
  readonly attributes: FileAttributes | undefined;
}

/** LOOKUP (RFC 1813 §3.3.3) */
export function lookup(directory: FileHandle, name: FileName): Procedure<Found> {
  return {
    number: 3,
    name: "LOOKUP",
    encode: (writer) => void writer.byteString(directory).text(name),
    decode: (reader) => ({ handle: readFileHandle(reader), attributes: readPostOpAttributes(reader) }),
  };
}
