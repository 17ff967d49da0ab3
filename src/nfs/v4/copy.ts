import { XdrError } from "../../xdr/xdr-error.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { CopyRange } from "../client.ts";
import type { Stability } from "../file.ts";
import { stabilities, verifierBytes } from "../wire.ts";
import type { Operation } from "./operation.ts";
import { anonymousStateid } from "./stateid.ts";

/** What one COPY did; servers cut it, so the rest is asked for again. */
export interface Copied {
  readonly copiedBytes: bigint;
  readonly stability: Stability;
}

/** COPY (RFC 7862 §15.2) from the saved file into the current one: consecutive, synchronous, on one server. */
export function copy({ sourceOffset, targetOffset, lengthBytes }: CopyRange): Operation<Copied> {
  return {
    code: 60,
    name: "COPY",
    encode: (writer) => {
      writer.fixedOpaque(anonymousStateid).fixedOpaque(anonymousStateid);
      writer.uint64(sourceOffset).uint64(targetOffset).uint64(lengthBytes);
      writer.boolean(true).boolean(true).uint32(0); // consecutive, synchronous, no source servers
    },
    decode: readCopied,
  };
}

/** `write_response4` and `copy_requirements4` (RFC 7862 §15.2.2). */
function readCopied(reader: XdrReader): Copied {
  if (reader.uint32() !== 0) throw new XdrError("an asynchronous copy where a synchronous one was asked for");
  const copiedBytes = reader.uint64();
  const stability = stabilities[reader.uint32()];
  if (stability === undefined) throw new XdrError("an unknown stable_how");
  reader.skip(verifierBytes);
  reader.boolean();
  reader.boolean();
  return { copiedBytes, stability };
}
