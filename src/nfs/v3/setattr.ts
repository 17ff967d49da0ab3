import type { AttributeChanges, FileHandle } from "../file.ts";
import { skipWeakCacheData, writeAttributeChanges } from "./attributes.ts";
import type { Procedure } from "./procedure.ts";

/** SETATTR (RFC 1813 §3.3.2), without a guard. */
export function setattr(file: FileHandle, changes: AttributeChanges): Procedure<void> {
  return {
    number: 2,
    name: "SETATTR",
    encode: (writer) => {
      writeAttributeChanges(writer.byteString(file), changes);
      writer.boolean(false);
    },
    decode: skipWeakCacheData,
  };
}
