import { randomBytes } from "node:crypto";
import type { Brand } from "./brand.ts";
import { BerthError } from "./errors.ts";

/** 128 random bits in 26 characters of base 32: what tells one attempt from every other. */
export type Nonce = Brand<string, "Nonce">;

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
const pattern = /^[a-z2-7]{26}$/;

export type NonceSource = () => Nonce;

export const randomNonce: NonceSource = () => parseNonce(base32(randomBytes(16)));

/** @throws BerthError `invalid-argument` for anything that is not a nonce */
export function parseNonce(text: string): Nonce {
  if (!pattern.test(text)) throw new BerthError("invalid-argument", "not a nonce of 26 base-32 characters");
  return text as Nonce;
}

/** A listed name as a nonce, or undefined for what is none. */
export function nonceIn(text: string): Nonce | undefined {
  return pattern.test(text) ? parseNonce(text) : undefined;
}

/** RFC 4648 base 32 in lower case, without padding. */
export function base32(bytes: Uint8Array): string {
  let text = "";
  let pending = 0;
  let pendingBits = 0;
  for (const byte of bytes) {
    pending = (pending << 8) | byte;
    pendingBits += 8;
    while (pendingBits >= 5) {
      pendingBits -= 5;
      text += alphabet.charAt((pending >> pendingBits) & 31);
      pending &= (1 << pendingBits) - 1;
    }
  }
  return pendingBits > 0 ? text + alphabet.charAt((pending << (5 - pendingBits)) & 31) : text;
}
