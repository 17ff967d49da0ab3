import type { Operation } from "./operation.ts";

/** ACCESS (RFC 8881 §18.1): which of these rights the caller has. */
export function access(rights: number): Operation<number> {
  return {
    code: 3,
    name: "ACCESS",
    encode: (writer) => void writer.uint32(rights),
    decode: (reader) => {
      reader.uint32(); // which of them the server can tell
      return reader.uint32();
    },
  };
}
