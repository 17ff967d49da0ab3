import type { AttributeChanges, FileHandle, FileName } from "../file.ts";
import { writeAttributeChanges } from "./attributes.ts";
import { type Made, readMade } from "./mkdir.ts";
import type { Procedure } from "./procedure.ts";

/** SYMLINK (RFC 1813 §3.3.10) */
export function symlink(
  directory: FileHandle,
  name: FileName,
  target: FileName,
  attributes: AttributeChanges,
): Procedure<Made> {
  return {
    number: 10,
    name: "SYMLINK",
    once: true,
    encode: (writer) => {
      writeAttributeChanges(writer.byteString(directory).text(name), attributes);
      writer.text(target);
    },
    decode: readMade,
  };
}
