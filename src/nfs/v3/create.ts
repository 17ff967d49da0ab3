import type { AttributeChanges, FileHandle, FileName } from "../file.ts";
import { writeAttributeChanges } from "./attributes.ts";
import { type Made, readMade } from "./mkdir.ts";
import type { Procedure } from "./procedure.ts";

const guarded = 1;

/**
 * CREATE (RFC 1813 §3.3.8) that fails where anything is. GUARDED, not EXCLUSIVE: that one keeps its
 * verifier in the file's times and sets no attributes. After a lost answer the outcome is "unknown".
 */
export function createNew(
  directory: FileHandle,
  name: FileName,
  attributes: AttributeChanges,
): Procedure<Made> {
  return {
    number: 8,
    name: "CREATE",
    once: true,
    encode: (writer) =>
      writeAttributeChanges(writer.byteString(directory).text(name).uint32(guarded), attributes),
    decode: readMade,
  };
}
