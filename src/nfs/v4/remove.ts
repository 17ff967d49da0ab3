import type { FileName } from "../file.ts";
import { skipChangeInfo } from "./change-info.ts";
import type { Operation } from "./operation.ts";

/** REMOVE (RFC 8881 §18.25) of a name, or an empty directory. */
export function remove(name: FileName): Operation<void> {
  return {
    code: 28,
    name: "REMOVE",
    once: true,
    encode: (writer) => void writer.text(name),
    decode: skipChangeInfo,
  };
}
