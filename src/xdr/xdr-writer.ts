import { assert } from "../core/assert.ts";

/** From here on a copy costs more than a piece of its own. */
const referenceBytesMin = 32 * 1024;
const uint32Max = 0xffff_ffff;
const uint64Max = 0xffff_ffff_ffff_ffffn;
const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;

/**
 * Puts XDR items (RFC 4506) one behind the other into a buffer that grows. What has been written never
 * moves or changes under a view of it that `bytes` gave: growing copies, and nothing is written twice
 * but by `patchUint32`.
 */
export class XdrWriter {
  #buffer: Buffer;
  #view: DataView;
  #length = 0;
  /** Bytes that stand between those of the buffer. */
  #references: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  #referredBytes = 0;

  constructor(capacityBytes = 1024) {
    this.#buffer = Buffer.allocUnsafe(capacityBytes);
    this.#view = viewOf(this.#buffer);
  }

  /** Of what was copied into the buffer; positions count these bytes only. */
  get lengthBytes(): number {
    return this.#length;
  }

  /** Of all, with what was written by reference. */
  get sizeBytes(): number {
    return this.#length + this.#referredBytes;
  }

  /** What was written, from `start` to `end`: a view if nothing of it was written by reference. */
  bytes(start = 0, end = this.#length): Buffer {
    const pieces = this.pieces(start, end);
    const [first] = pieces;
    return first !== undefined && pieces.length === 1 ? first : Buffer.concat(pieces);
  }

  /** The same as views of its parts. */
  pieces(start: number, end: number): readonly Buffer[] {
    if (this.#references.length === 0) return [this.#buffer.subarray(start, end)];
    const pieces: Buffer[] = [];
    let next = start;
    for (const { offset, bytes } of this.#references) {
      if (offset <= start || offset > end) continue; // something stands before each, so it is of the part before
      pieces.push(
        this.#buffer.subarray(next, offset),
        Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
      );
      next = offset;
    }
    pieces.push(this.#buffer.subarray(next, end));
    return pieces;
  }

  /** RFC 4506 §4.2 */
  uint32(value: number): this {
    assert(Number.isInteger(value) && value >= 0 && value <= uint32Max, "not an unsigned 32-bit integer");
    const start = this.#reserve(4);
    this.#view.setUint32(start, value);
    return this;
  }

  /** RFC 4506 §4.1 */
  int32(value: number): this {
    assert((value | 0) === value, "not a signed 32-bit integer");
    const start = this.#reserve(4);
    this.#view.setInt32(start, value);
    return this;
  }

  /** RFC 4506 §4.5, unsigned */
  uint64(value: bigint): this {
    assert(value >= 0n && value <= uint64Max, "not an unsigned 64-bit integer");
    const start = this.#reserve(8);
    this.#view.setBigUint64(start, value);
    return this;
  }

  /** RFC 4506 §4.5, signed */
  int64(value: bigint): this {
    assert(value >= int64Min && value <= int64Max, "not a signed 64-bit integer");
    const start = this.#reserve(8);
    this.#view.setBigInt64(start, value);
    return this;
  }

  /** RFC 4506 §4.4 */
  boolean(value: boolean): this {
    return this.uint32(value ? 1 : 0);
  }

  /** RFC 4506 §4.19: an item that may be absent. */
  optional<T>(value: T | undefined, write: (value: T) => void): this {
    this.boolean(value !== undefined);
    if (value !== undefined) write(value);
    return this;
  }

  /** RFC 4506 §4.9 */
  fixedOpaque(bytes: Uint8Array): this {
    const padded = (bytes.length + 3) & ~3;
    const start = this.#reserve(padded);
    this.#buffer.set(bytes, start);
    this.#buffer.fill(0, start + bytes.length, start + padded);
    return this;
  }

  /** RFC 4506 §4.10 */
  opaque(bytes: Uint8Array): this {
    return this.uint32(bytes.length).fixedOpaque(bytes);
  }

  /** RFC 4506 §4.10, each character a byte: what `XdrReader.byteString` gave. */
  byteString(value: string): this {
    return this.#string(value, value.length, "latin1");
  }

  /**
   * RFC 4506 §4.10. Many bytes are not copied: they must not change as long as what was written is used.
   * Something must be written before.
   */
  opaqueByReference(bytes: Uint8Array): this {
    if (bytes.length < referenceBytesMin) return this.opaque(bytes);
    this.uint32(bytes.length);
    this.#references.push({ offset: this.#length, bytes });
    this.#referredBytes += bytes.length;
    const padding = -bytes.length & 3;
    const start = this.#reserve(padding);
    this.#buffer.fill(0, start, start + padding);
    return this;
  }

  /** RFC 4506 §4.11: a string as UTF-8, or bytes as they are. */
  text(value: string | Uint8Array): this {
    if (typeof value !== "string") return this.opaque(value);
    return this.#string(value, Buffer.byteLength(value), "utf8");
  }

  /** RFC 4506 §4.13 */
  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.uint32(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** Sets an item that was written before its value was known, such as a count. */
  patchUint32(offset: number, value: number): void {
    assert(offset + 4 <= this.#length, "nothing was written there");
    this.#view.setUint32(offset, value);
  }

  /** Takes back everything from `length` on, which nobody has seen yet. */
  truncate(lengthBytes: number): void {
    assert(lengthBytes <= this.#length, "longer than what was written");
    this.#length = lengthBytes;
    if (this.#references.length === 0) return;
    this.#references = this.#references.filter(({ offset }) => offset <= lengthBytes);
    this.#referredBytes = this.#references.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  #string(value: string, lengthBytes: number, encoding: "latin1" | "utf8"): this {
    const padded = (lengthBytes + 3) & ~3;
    const start = this.uint32(lengthBytes).#reserve(padded);
    this.#buffer.write(value, start, encoding);
    this.#buffer.fill(0, start + lengthBytes, start + padded);
    return this;
  }

  /** Where so many bytes may go. Call it before taking `#view` or `#buffer`, which growing replaces. */
  #reserve(lengthBytes: number): number {
    const start = this.#length;
    const end = start + lengthBytes;
    if (end > this.#buffer.length) this.#grow(end);
    this.#length = end;
    return start;
  }

  #grow(lengthBytesMin: number): void {
    const larger = Buffer.allocUnsafe(Math.max(lengthBytesMin, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
    this.#view = viewOf(larger);
  }
}

function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
