import type { SeekTarget } from "../client.ts";
import type { Operation } from "./operation.ts";
import { anonymousStateid } from "./stateid.ts";

/** `data_content4` (RFC 7862 §11.10.1). */
const contents: Readonly<Record<SeekTarget, number>> = { data: 0, hole: 1 };

export interface Sought {
  /** Whether it is the end of the file, where every file has a hole. */
  readonly eof: boolean;
  readonly offset: bigint;
}

/** SEEK (RFC 7862 §15.11): where the next data or hole begins. NXIO: nowhere from here on. */
export function seek(offset: bigint, target: SeekTarget): Operation<Sought> {
  return {
    code: 69,
    name: "SEEK",
    encode: (writer) => void writer.fixedOpaque(anonymousStateid).uint64(offset).uint32(contents[target]),
    decode: (reader) => ({ eof: reader.boolean(), offset: reader.uint64() }),
  };
}
