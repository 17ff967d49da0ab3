import type { FileName } from "../file.ts";
import { skipChangeInfo } from "./change-info.ts";
import type { Operation } from "./operation.ts";

/** RENAME (RFC 8881 §18.26) from the saved directory into the current one. */
export function rename(from: FileName, to: FileName): Operation<void> {
  return {
    code: 29,
    name: "RENAME",
    once: true,
    encode: (writer) => void writer.text(from).text(to),
    decode: (reader) => {
      skipChangeInfo(reader);
      skipChangeInfo(reader);
    },
  };
}
