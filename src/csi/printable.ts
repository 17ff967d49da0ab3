/**
 * A text that can go into a header, a log line or a message whatever it holds: control characters and
 * lone surrogates replaced, and cut to `bytesMax` bytes of UTF-8, at a character.
 */
export function printable(text: string, bytesMax: number): string {
  // What is cut anyway need not be looked at: a character has at least one byte.
  const clean = text
    .slice(0, bytesMax + 1)
    .toWellFormed()
    .replaceAll(/\p{Cc}+/gu, " ");
  return Buffer.byteLength(clean) <= bytesMax ? clean : `${cut(clean, bytesMax - ellipsisBytes)}…`;
}

const ellipsisBytes = Buffer.byteLength("…");

function cut(text: string, bytesMax: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytesMax));
  return text.slice(0, read);
}
