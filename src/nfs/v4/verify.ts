import { bitmapOf, writeBitmap } from "./bitmap.ts";
import { nothing, type Operation } from "./operation.ts";

const typeAttribute = 1;
const directoryType = 2;

/** VERIFY (RFC 8881 §18.31) that the current file is a directory: NOT_SAME ends the compound. */
export const verifyDirectory: Operation<void> = {
  code: 37,
  name: "VERIFY",
  encode: (writer) => {
    writeBitmap(writer, bitmapOf(typeAttribute));
    writer.uint32(4).uint32(directoryType);
  },
  decode: nothing,
};
