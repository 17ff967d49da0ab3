import type { FileAttributes } from "../file.ts";
import { fileAttributes, readFileAttributes } from "./attributes.ts";
import { writeBitmap } from "./bitmap.ts";
import type { Operation } from "./operation.ts";

/** GETATTR (RFC 8881 §18.7) of everything that `FileAttributes` holds. */
export const getattr: Operation<FileAttributes> = {
  code: 9,
  name: "GETATTR",
  encode: (writer) => writeBitmap(writer, fileAttributes),
  decode: readFileAttributes,
};
