import type { CopyRange } from "../client.ts";
import { nothing, type Operation } from "./operation.ts";
import { anonymousStateid } from "./stateid.ts";

/** CLONE (RFC 7862 §15.13) from the saved file into the current one. */
export function clone({ sourceOffset, targetOffset, lengthBytes }: CopyRange): Operation<void> {
  return {
    code: 71,
    name: "CLONE",
    encode: (writer) => {
      writer.fixedOpaque(anonymousStateid).fixedOpaque(anonymousStateid);
      writer.uint64(sourceOffset).uint64(targetOffset).uint64(lengthBytes);
    },
    decode: nothing,
  };
}
