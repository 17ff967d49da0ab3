import type { AttributeChanges, FileName } from "../file.ts";
import { writeAttributeChanges } from "./attributes.ts";
import { readCreated } from "./mkdir.ts";
import type { Operation } from "./operation.ts";

const symlinkType = 5;

/** CREATE of a symbolic link (RFC 8881 §18.4) */
export function symlink(name: FileName, target: FileName, attributes: AttributeChanges): Operation<void> {
  return {
    code: 6,
    name: "CREATE",
    once: true,
    encode: (writer) => writeAttributeChanges(writer.uint32(symlinkType).text(target).text(name), attributes),
    decode: readCreated,
  };
}
