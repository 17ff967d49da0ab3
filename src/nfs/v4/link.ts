import type { FileName } from "../file.ts";
import { skipChangeInfo } from "./change-info.ts";
import type { Operation } from "./operation.ts";

/** LINK (RFC 8881 §18.9) of the saved file into the current directory. */
export function link(name: FileName): Operation<void> {
  return {
    code: 11,
    name: "LINK",
    once: true,
    encode: (writer) => void writer.text(name),
    decode: skipChangeInfo,
  };
}
