import { XdrError } from "../../xdr/xdr-error.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { FileSystemSpace } from "../file.ts";
import { type Bitmap, bitmapOf, has, readBitmap, writeBitmap } from "./bitmap.ts";
import type { Operation } from "./operation.ts";

/** RFC 8881 §5.8.2: files_avail, files_free, files_total; space_avail, space_free, space_total. */
const numbers = [21, 22, 23, 42, 43, 44] as const;
const wanted = bitmapOf(...numbers);

/** GETATTR (RFC 8881 §18.7) of the space and inodes of the current file's file system. */
export const fsstat: Operation<FileSystemSpace> = {
  code: 9,
  name: "GETATTR",
  encode: (writer) => writeBitmap(writer, wanted),
  decode: readSpace,
};

function readSpace(reader: XdrReader): FileSystemSpace {
  const bitmap = readBitmap(reader);
  if ((bitmap[0] & ~wanted[0]) | (bitmap[1] & ~wanted[1]) | bitmap[2]) {
    throw new XdrError("attributes that were not asked for");
  }
  reader.uint32(); // length in bytes
  const [availableInodes, freeInodes, totalInodes, availableBytes, freeBytes, totalBytes] = [
    value(reader, bitmap, numbers[0]),
    value(reader, bitmap, numbers[1]),
    value(reader, bitmap, numbers[2]),
    value(reader, bitmap, numbers[3]),
    value(reader, bitmap, numbers[4]),
    value(reader, bitmap, numbers[5]),
  ];
  return { totalBytes, freeBytes, availableBytes, totalInodes, freeInodes, availableInodes };
}

function value(reader: XdrReader, bitmap: Bitmap, number: number): bigint {
  return has(bitmap, number) ? reader.uint64() : 0n;
}
