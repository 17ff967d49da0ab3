import { XdrError } from "../xdr/xdr-error.ts";
import { rpcLimits } from "./limits.ts";

const lastFragment = 0x8000_0000;
const markBytes = 4;

/** The mark in front of a record that is sent as one fragment (RFC 5531 §11). */
export function recordMark(lengthBytes: number): number {
  return (lastFragment | lengthBytes) >>> 0;
}

/** Takes a record, which stands from `start` to `end` of bytes that are overwritten later. */
export type OnRecord = (bytes: Buffer, start: number, end: number) => void;

/**
 * Cuts what a stream brings into records (RFC 5531 §11), however the bytes were split on the way. A
 * record that came whole is taken where it lies; others are put together in one buffer that serves again and
 * again. Keeps at most one record.
 */
export class RecordAssembler {
  readonly #recordBytesMax: number;
  /** The mark being read: its bytes so far, and how many they are. */
  #mark = 0;
  #markBytes = 0;
  /** Of the fragment being read. */
  #fragment: { remainingBytes: number; readonly last: boolean } | undefined;
  /** What came of the record, up to `#recordBytes`. */
  #record: Buffer<ArrayBuffer> = Buffer.alloc(0);
  #recordBytes = 0;
  #fragments = 0;

  constructor(recordBytesMax: number = rpcLimits.recordBytesMax) {
    this.#recordBytesMax = recordBytesMax;
  }

  /**
   * @param lengthBytes how much of the chunk there is; it may be overwritten when this returns
   * @throws XdrError for a record beyond the bounds: the stream is then of no further use
   */
  push(chunk: Buffer, onRecord: OnRecord, lengthBytes = chunk.length): void {
    let offset = 0;
    while (offset < lengthBytes) {
      offset = this.#takeWhole(chunk, offset, lengthBytes, onRecord);
      if (offset < lengthBytes) offset = this.#takePart(chunk, offset, lengthBytes, onRecord);
    }
  }

  /**
   * Where what comes next is best put, so that it need not be copied: the rest of a long fragment. Undefined
   * where that does not matter.
   */
  room(): Buffer<ArrayBuffer> | undefined {
    const restBytes = this.#fragment?.remainingBytes ?? 0;
    if (restBytes < rpcLimits.receiveBytes) return undefined;
    return this.#record.subarray(this.#recordBytes, this.#recordBytes + restBytes);
  }

  /** Records that lie in the chunk in one piece, as most do. @returns where they end */
  #takeWhole(chunk: Buffer, offset: number, limit: number, onRecord: OnRecord): number {
    if (this.#fragment !== undefined || this.#markBytes > 0 || this.#recordBytes > 0) return offset;
    let next = offset;
    while (next + markBytes <= limit) {
      const mark = chunk.readUInt32BE(next);
      const start = next + markBytes;
      const end = start + (mark & ~lastFragment);
      if (mark < lastFragment || end > limit || end - start > this.#recordBytesMax) break;
      onRecord(chunk, start, end);
      next = end;
    }
    return next;
  }

  /** Some bytes of a mark or of a fragment. @returns how far it came */
  #takePart(chunk: Buffer, offset: number, limit: number, onRecord: OnRecord): number {
    if (this.#fragment === undefined) return this.#takeMark(chunk, offset, limit, onRecord);
    const taken = Math.min(this.#fragment.remainingBytes, limit - offset);
    if (!this.#isInPlace(chunk, offset)) {
      chunk.copy(this.#record, this.#recordBytes, offset, offset + taken);
    }
    this.#recordBytes += taken;
    this.#fragment.remainingBytes -= taken;
    if (this.#fragment.remainingBytes === 0) this.#endFragment(this.#fragment.last, onRecord);
    return offset + taken;
  }

  /** Whether it came into the `room`. */
  #isInPlace(chunk: Buffer, offset: number): boolean {
    const place = this.#record.byteOffset + this.#recordBytes;
    return chunk.buffer === this.#record.buffer && chunk.byteOffset + offset === place;
  }

  #takeMark(chunk: Buffer, offset: number, limit: number, onRecord: OnRecord): number {
    let next = offset;
    for (; this.#markBytes < markBytes && next < limit; this.#markBytes++) {
      this.#mark = ((this.#mark << 8) | (chunk[next++] ?? 0)) >>> 0;
    }
    if (this.#markBytes === markBytes) this.#beginFragment(this.#mark, onRecord);
    return next;
  }

  #beginFragment(mark: number, onRecord: OnRecord): void {
    const remainingBytes = mark & ~lastFragment;
    const last = mark >= lastFragment;
    this.#mark = 0;
    this.#markBytes = 0;
    this.#fragments++;
    const recordBytes = this.#recordBytes + remainingBytes;
    if (recordBytes > this.#recordBytesMax || this.#fragments > rpcLimits.fragmentsMax) {
      throw new XdrError(`a record of more than ${this.#recordBytesMax} bytes or too many fragments`);
    }
    this.#reserve(recordBytes);
    this.#fragment = { remainingBytes, last };
    if (remainingBytes === 0) this.#endFragment(last, onRecord);
  }

  #reserve(recordBytes: number): void {
    if (recordBytes <= this.#record.length) return;
    const larger = Buffer.allocUnsafeSlow(recordBytes);
    this.#record.copy(larger, 0, 0, this.#recordBytes);
    this.#record = larger;
  }

  #endFragment(last: boolean, onRecord: OnRecord): void {
    this.#fragment = undefined;
    if (!last) return;
    const recordBytes = this.#recordBytes;
    this.#recordBytes = 0;
    this.#fragments = 0;
    onRecord(this.#record, 0, recordBytes);
  }
}
