import type { FileName } from "../file.ts";
import { nfsLimits } from "../limits.ts";
import { nothing, type Operation } from "./operation.ts";

/** READLINK (RFC 8881 §18.24) */
export const readlink: Operation<FileName> = {
  code: 27,
  name: "READLINK",
  encode: nothing,
  decode: (reader) => reader.textOrBytes(nfsLimits.linkTargetBytesMax),
};
