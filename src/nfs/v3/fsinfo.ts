import type { FileHandle } from "../file.ts";
import { skipPostOpAttributes } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** What the server admits (RFC 1813 §3.3.19); 0 where it names no bound. */
export interface ServerLimits {
  readonly readBytesMax: number;
  readonly writeBytesMax: number;
  readonly readdirBytesPreferred: number;
}

/** FSINFO (RFC 1813 §3.3.19) */
export function fsinfo(file: FileHandle): Procedure<ServerLimits> {
  return {
    number: 19,
    name: "FSINFO",
    encode: (writer) => void writer.byteString(file),
    decode: (reader) => {
      skipPostOpAttributes(reader);
      const readBytesMax = reader.uint32();
      reader.skip(4 + 4); // preferred size and multiple
      const writeBytesMax = reader.uint32();
      reader.skip(4 + 4);
      return { readBytesMax, writeBytesMax, readdirBytesPreferred: reader.uint32() };
    },
  };
}
