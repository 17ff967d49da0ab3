import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { XdrWriter } from "../../xdr/xdr-writer.ts";

/** One operation of a compound (RFC 8881 §16.2) with its arguments. */
export interface Operation<Result> {
  /** RFC 8881 §16.2 `nfs_opnum4`. */
  readonly code: number;
  /** As the RFC writes it. */
  readonly name: string;
  /** That running it twice is not the same as once: its reply is cached (`sa_cachethis`), and it is never repeated in doubt. */
  readonly once?: boolean;
  /** The arguments behind the operation's code. */
  encode(writer: XdrWriter): void;
  /** The result behind an OK status. @throws XdrError */
  decode(reader: XdrReader): Result;
}

/** The results of a list of operations, in its order. */
export type ResultsOf<Operations extends readonly Operation<unknown>[]> = {
  [Index in keyof Operations]: Operations[Index] extends Operation<infer Result> ? Result : never;
};

/** For operations without arguments, and results without content. */
export function nothing(): void {}
