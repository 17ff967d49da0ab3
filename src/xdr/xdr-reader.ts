import { isUtf8 } from "node:buffer";
import { XdrError } from "./xdr-error.ts";

const zero = 0x30;

/**
 * Takes XDR items (RFC 4506) one after the other from bytes that nobody need trust: every length is
 * checked against the bytes that are there and against the caller's bound before anything is made.
 * All methods throw `XdrError`.
 */
export class XdrReader {
  #bytes: Buffer;
  #view: DataView;
  #offset: number;
  #end: number;

  /** @param bytes are not copied; they must not change while being read */
  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#offset = start;
    this.#end = end;
  }

  /**
   * Begins anew, with bytes that are overwritten after this reading: what shall be kept must be copied. So
   * one reader and one buffer serve any number of records, and leave nothing to collect.
   */
  lend(bytes: Buffer, start: number, end: number): this {
    if (bytes !== this.#bytes) this.#view = viewOf(bytes);
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
    return this;
  }

  /** A reader of what is left, of bytes of its own. */
  detached(): XdrReader {
    return new XdrReader(Buffer.from(this.#bytes.subarray(this.#offset, this.#end)));
  }

  get remainingBytes(): number {
    return this.#end - this.#offset;
  }

  get offset(): number {
    return this.#offset;
  }

  /** RFC 4506 §4.2 */
  uint32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** RFC 4506 §4.1 */
  int32(): number {
    return this.#view.getInt32(this.#advance(4));
  }

  /** RFC 4506 §4.5, unsigned */
  uint64(): bigint {
    return this.#view.getBigUint64(this.#advance(8));
  }

  /** RFC 4506 §4.5, unsigned: one that was skipped, by the `offset` where it stands, which is not checked again. */
  uint64At(offset: number): bigint {
    return this.#view.getBigUint64(offset);
  }

  /** RFC 4506 §4.5, signed */
  int64(): bigint {
    return this.#view.getBigInt64(this.#advance(8));
  }

  /** The same as a number, which is exact up to 2^53: for seconds. */
  int64AsNumber(): number {
    const start = this.#advance(8);
    return this.#view.getInt32(start) * 2 ** 32 + this.#view.getUint32(start + 4);
  }

  /** RFC 4506 §4.4: 0 or 1, nothing else */
  boolean(): boolean {
    const value = this.uint32();
    if (value > 1) throw new XdrError(`${value} is no boolean`);
    return value === 1;
  }

  /** RFC 4506 §4.19: an item that may be absent. */
  optional<T>(read: (reader: XdrReader) => T): T | undefined {
    return this.boolean() ? read(this) : undefined;
  }

  /** RFC 4506 §4.9. A view, not a copy. */
  fixedOpaque(lengthBytes: number): Buffer {
    const start = this.#advance(lengthBytes + padding(lengthBytes));
    return this.#bytes.subarray(start, start + lengthBytes);
  }

  /** RFC 4506 §4.10. A view, not a copy. */
  opaque(lengthBytesMax: number): Buffer {
    return this.fixedOpaque(this.#length(lengthBytesMax));
  }

  /** RFC 4506 §4.10, each byte a character (U+0000 to U+00FF): of few bytes the copy that takes the least of V8's heap. */
  byteString(lengthBytesMax: number): string {
    const lengthBytes = this.#length(lengthBytesMax);
    const start = this.#advance(lengthBytes + padding(lengthBytes));
    return this.#bytes.toString("latin1", start, start + lengthBytes);
  }

  skipOpaque(lengthBytesMax: number): void {
    const lengthBytes = this.#length(lengthBytesMax);
    this.#advance(lengthBytes + padding(lengthBytes));
  }

  /** RFC 4506 §4.11, as UTF-8: bytes that are none become U+FFFD. For texts that are only shown. */
  text(lengthBytesMax: number): string {
    return this.opaque(lengthBytesMax).toString("utf8");
  }

  /** RFC 4506 §4.11: text if it is UTF-8, else the bytes as they are. */
  textOrBytes(lengthBytesMax: number): string | Uint8Array {
    const lengthBytes = this.#length(lengthBytesMax);
    const start = this.#advance(lengthBytes + padding(lengthBytes));
    const end = start + lengthBytes;
    if (isAscii(this.#bytes, start, end)) return this.#bytes.toString("latin1", start, end);
    const bytes = this.#bytes.subarray(start, end);
    return isUtf8(bytes) ? bytes.toString("utf8") : Buffer.from(bytes);
  }

  /** RFC 4506 §4.11: a text of decimal digits and nothing else, as a number; else undefined. */
  decimal(lengthBytesMax: number): number | undefined {
    const lengthBytes = this.#length(lengthBytesMax);
    const start = this.#advance(lengthBytes + padding(lengthBytes));
    let value = lengthBytes === 0 ? Number.NaN : 0;
    for (let index = start; index < start + lengthBytes; index++) {
      const digit = (this.#bytes[index] ?? 0) - zero;
      value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
    }
    return Number.isNaN(value) ? undefined : value;
  }

  /** RFC 4506 §4.13 */
  array<T>(itemsMax: number, read: (reader: XdrReader) => T): T[] {
    const count = this.#length(itemsMax);
    const items: T[] = [];
    for (let index = 0; index < count; index++) items.push(read(this));
    return items;
  }

  skip(lengthBytes: number): void {
    this.#advance(lengthBytes);
  }

  /** That nothing is left. */
  end(): void {
    if (this.remainingBytes !== 0) throw new XdrError(`${this.remainingBytes} bytes too many`);
  }

  #length(max: number): number {
    const length = this.uint32();
    if (length > max) throw new XdrError(`a length of ${length} where at most ${max} is allowed`);
    return length;
  }

  #advance(lengthBytes: number): number {
    const start = this.#offset;
    if (lengthBytes > this.#end - start) {
      throw new XdrError(`${lengthBytes} bytes wanted at ${start}, ${this.remainingBytes} are left`);
    }
    this.#offset = start + lengthBytes;
    return start;
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Most names are; then no view of them need be made. */
function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if ((bytes[index] ?? 0x80) >= 0x80) return false;
  return true;
}

/** Every item ends at a multiple of four (RFC 4506 §3). */
function padding(lengthBytes: number): number {
  return -lengthBytes & 3;
}
