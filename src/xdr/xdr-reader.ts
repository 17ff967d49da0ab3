import { isUtf8 } from "node:buffer";
import { XdrError } from "./xdr-error.ts";

/**
 * Takes XDR items (RFC 4506) one after the other from bytes that nobody need trust: every length is
 * checked against the bytes that are there and against the caller's bound before anything is made.
 * All methods throw `XdrError`.
 */
export class XdrReader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  #offset = 0;

  /** @param bytes are not copied; they must not change while being read */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remainingBytes(): number {
    return this.#bytes.length - this.#offset;
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

  /** RFC 4506 §4.5, signed */
  int64(): bigint {
    return this.#view.getBigInt64(this.#advance(8));
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

  /** RFC 4506 §4.10. A copy, so that a few bytes kept for long do not keep a whole reply. */
  opaqueCopy(lengthBytesMax: number): Buffer {
    return Buffer.from(this.opaque(lengthBytesMax));
  }

  /** RFC 4506 §4.11, as UTF-8: bytes that are none become U+FFFD. For texts that are only shown. */
  text(lengthBytesMax: number): string {
    return this.opaque(lengthBytesMax).toString("utf8");
  }

  /** RFC 4506 §4.11: text if it is UTF-8, else the bytes as they are. */
  textOrBytes(lengthBytesMax: number): string | Uint8Array {
    const bytes = this.opaque(lengthBytesMax);
    return isUtf8(bytes) ? bytes.toString("utf8") : Buffer.from(bytes);
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
    if (lengthBytes > this.#bytes.length - start) {
      throw new XdrError(`${lengthBytes} bytes wanted at ${start}, ${this.remainingBytes} are left`);
    }
    this.#offset = start + lengthBytes;
    return start;
  }
}

/** Every item ends at a multiple of four (RFC 4506 §3). */
function padding(lengthBytes: number): number {
  return -lengthBytes & 3;
}
