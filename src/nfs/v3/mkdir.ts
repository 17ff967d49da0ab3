import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { AttributeChanges, FileAttributes, FileHandle, FileName } from "../file.ts";
import { readPostOpAttributes, skipWeakCacheData, writeAttributeChanges } from "./attributes.ts";
import { type Procedure, readFileHandle } from "./procedure.ts";

/** What was made; a server may tell neither (RFC 1813 §3.3.8 `post_op_fh3`), then it must be looked up. */
export interface Made {
  readonly handle: FileHandle | undefined;
  readonly attributes: FileAttributes | undefined;
}

/** MKDIR (RFC 1813 §3.3.9) */
export function mkdir(directory: FileHandle, name: FileName, attributes: AttributeChanges): Procedure<Made> {
  return {
    number: 9,
    name: "MKDIR",
    once: true,
    encode: (writer) => writeAttributeChanges(writer.byteString(directory).text(name), attributes),
    decode: readMade,
  };
}

/** `CREATE3resok`, `MKDIR3resok`, `SYMLINK3resok` (RFC 1813 §3.3.8 to §3.3.10): alike. */
export function readMade(reader: XdrReader): Made {
  const made = { handle: reader.optional(readFileHandle), attributes: readPostOpAttributes(reader) };
  skipWeakCacheData(reader);
  return made;
}
