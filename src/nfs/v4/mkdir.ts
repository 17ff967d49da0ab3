import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { AttributeChanges, FileName } from "../file.ts";
import { writeAttributeChanges } from "./attributes.ts";
import { readBitmap } from "./bitmap.ts";
import { skipChangeInfo } from "./change-info.ts";
import type { Operation } from "./operation.ts";

const directoryType = 2;

/** CREATE of a directory (RFC 8881 §18.4) */
export function mkdir(name: FileName, attributes: AttributeChanges): Operation<void> {
  return {
    code: 6,
    name: "CREATE",
    once: true,
    encode: (writer) => writeAttributeChanges(writer.uint32(directoryType).text(name), attributes),
    decode: readCreated,
  };
}

/** `CREATE4resok` (RFC 8881 §18.4.2) */
export function readCreated(reader: XdrReader): void {
  skipChangeInfo(reader);
  readBitmap(reader);
}
