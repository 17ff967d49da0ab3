import { BerthError } from "../../core/errors.ts";

/** Whoever goes on without these bytes has half a file. */
export function nothingRead(name: string, offset: bigint): BerthError {
  return new BerthError(
    "storage-io",
    `${name}: the file ends at ${offset}, before the length that it had: somebody has cut it, or the server lies; read it again`,
  );
}
