import { bitmapOf, writeBitmap } from "./bitmap.ts";
import { nothing, type Operation } from "./operation.ts";

const typeAttribute = 1;
const directoryType = 2;
const sizeAttribute = 4;

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

/** NVERIFY (RFC 8881 §18.15) that it is none: SAME ends the compound. */
export const verifyNoDirectory: Operation<void> = { ...verifyDirectory, code: 17, name: "NVERIFY" };

/** The same that it has this size. */
export function verifySize(sizeBytes: number): Operation<void> {
  return {
    code: 37,
    name: "VERIFY",
    encode: (writer) => {
      writeBitmap(writer, bitmapOf(sizeAttribute));
      writer.uint32(8).uint64(BigInt(sizeBytes));
    },
    decode: nothing,
  };
}
