import { verifierBytes } from "../wire.ts";
import type { Operation } from "./operation.ts";

/** COMMIT (RFC 8881 §18.3) of the whole file: offset and count 0. */
export const commit: Operation<Uint8Array> = {
  code: 5,
  name: "COMMIT",
  encode: (writer) => void writer.uint64(0n).uint32(0),
  decode: (reader) => Buffer.from(reader.fixedOpaque(verifierBytes)),
};
