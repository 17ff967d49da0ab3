import { XdrError } from "../../xdr/xdr-error.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { XdrWriter } from "../../xdr/xdr-writer.ts";

/** `bitmap4` (RFC 8881 §3.2): attribute n is bit n % 32 of word n / 32. We know three words. */
export type Bitmap = readonly [number, number, number];

const wordsMax = 8;

/** `bitmap4` (RFC 8881 §3.2) of these attributes. */
export function bitmapOf(...attributes: number[]): Bitmap {
  const words: [number, number, number] = [0, 0, 0];
  for (const attribute of attributes) {
    const word = Math.trunc(attribute / 32);
    if (word === 0 || word === 1 || word === 2) words[word] = (words[word] | (1 << (attribute % 32))) >>> 0;
  }
  return words;
}

/** Whether a `bitmap4` (RFC 8881 §3.2) holds an attribute. */
export function has(bitmap: Bitmap, attribute: number): boolean {
  const word = attribute < 32 ? bitmap[0] : attribute < 64 ? bitmap[1] : bitmap[2];
  return (word & (1 << (attribute & 31))) !== 0;
}

/** `bitmap4` (RFC 8881 §3.2). Trailing zero words are left out, as servers of lower minor versions expect. */
export function writeBitmap(writer: XdrWriter, [first, second, third]: Bitmap): void {
  if (third !== 0) writer.uint32(3).uint32(first).uint32(second).uint32(third);
  else writer.uint32(2).uint32(first).uint32(second);
}

/**
 * `bitmap4` (RFC 8881 §3.2).
 * @param likely what is returned, instead of a new one, if it is equal
 * @throws XdrError for more words than there are attributes
 */
export function readBitmap(reader: XdrReader, likely?: Bitmap): Bitmap {
  const words = reader.uint32();
  if (words > wordsMax) throw new XdrError(`a bitmap of ${words} words`);
  const first = words > 0 ? reader.uint32() : 0;
  const second = words > 1 ? reader.uint32() : 0;
  const third = words > 2 ? reader.uint32() : 0;
  if (words > 3) reader.skip(4 * (words - 3));
  if (likely !== undefined && likely[0] === first && likely[1] === second && likely[2] === third)
    return likely;
  return [first, second, third];
}
