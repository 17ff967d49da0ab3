import type { AttributeChanges } from "../file.ts";
import { writeAttributeChanges } from "./attributes.ts";
import { readBitmap } from "./bitmap.ts";
import type { Operation } from "./operation.ts";
import { anonymousStateid } from "./stateid.ts";

/** SETATTR (RFC 8881 §18.30) */
export function setattr(changes: AttributeChanges): Operation<void> {
  return {
    code: 34,
    name: "SETATTR",
    encode: (writer) => writeAttributeChanges(writer.fixedOpaque(anonymousStateid), changes),
    decode: (reader) => void readBitmap(reader), // which were set: all, or the status is not OK
  };
}
