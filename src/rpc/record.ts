import { XdrError } from "../xdr/xdr-error.ts";
import { rpcLimits } from "./limits.ts";

const lastFragment = 0x8000_0000;
const markBytes = 4;

/** The mark in front of a record that is sent as one fragment (RFC 5531 §11). */
export function recordMark(lengthBytes: number): number {
  return (lastFragment | lengthBytes) >>> 0;
}

/**
 * Cuts what a stream brings into records (RFC 5531 §11), however the bytes were split on the way. A
 * record that came whole is a view of its chunk; others are put together. Keeps at most one record.
 */
export class RecordAssembler {
  readonly #recordBytesMax: number;
  /** Bytes not yet understood: less than a mark, or part of a fragment. */
  #pieces: Buffer[] = [];
  #mark: Buffer = Buffer.alloc(0);
  #recordBytes = 0;
  #fragments = 0;
  /** Of the fragment being read; undefined between fragments. */
  #fragment: { remainingBytes: number; readonly last: boolean } | undefined;

  constructor(recordBytesMax: number = rpcLimits.recordBytesMax) {
    this.#recordBytesMax = recordBytesMax;
  }

  /** @throws XdrError for a record beyond the bounds: the stream is then of no further use */
  push(chunk: Buffer, onRecord: (record: Buffer) => void): void {
    let rest = chunk;
    while (rest.length > 0) {
      rest = this.#fragment === undefined ? this.#takeMark(rest) : this.#takeData(rest, this.#fragment);
      if (this.#fragment?.remainingBytes === 0) this.#endFragment(this.#fragment.last, onRecord);
    }
  }

  #takeMark(chunk: Buffer): Buffer {
    const wanted = markBytes - this.#mark.length;
    const bytes = wanted === markBytes ? chunk : Buffer.concat([this.#mark, chunk.subarray(0, wanted)]);
    if (bytes.length < markBytes) {
      this.#mark = Buffer.from(bytes);
      return chunk.subarray(chunk.length);
    }
    this.#beginFragment(bytes.readUInt32BE(0));
    return chunk.subarray(wanted);
  }

  #beginFragment(mark: number): void {
    const lengthBytes = mark & ~lastFragment;
    this.#mark = Buffer.alloc(0);
    this.#fragments++;
    this.#recordBytes += lengthBytes;
    if (this.#recordBytes > this.#recordBytesMax || this.#fragments > rpcLimits.fragmentsMax) {
      throw new XdrError(`a record of more than ${this.#recordBytesMax} bytes or too many fragments`);
    }
    this.#fragment = { remainingBytes: lengthBytes, last: mark >= lastFragment };
  }

  #takeData(chunk: Buffer, fragment: { remainingBytes: number }): Buffer {
    const taken = Math.min(fragment.remainingBytes, chunk.length);
    this.#pieces.push(chunk.subarray(0, taken));
    fragment.remainingBytes -= taken;
    return chunk.subarray(taken);
  }

  #endFragment(last: boolean, onRecord: (record: Buffer) => void): void {
    this.#fragment = undefined;
    if (!last) return;
    const [first, ...more] = this.#pieces;
    const record = first !== undefined && more.length === 0 ? first : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#recordBytes = 0;
    this.#fragments = 0;
    onRecord(record);
  }
}
