/** Changes to a reply, as data: so they can be generated, shrunk and played again. */
import fc from "fast-check";

export type Mutation =
  | { readonly kind: "byte"; readonly at: number; readonly xor: number }
  /** One word: what decoders take for counts, lengths and discriminants. */
  | { readonly kind: "word"; readonly at: number; readonly value: number }
  | { readonly kind: "cut"; readonly at: number }
  /** A run of words, once more. */
  | { readonly kind: "repeat"; readonly at: number; readonly words: number }
  | { readonly kind: "remove"; readonly at: number; readonly words: number };

/** Words that are near what was right, or at the edges. */
export const telling: readonly number[] = [
  ...[0, 1, 2, 3, 4, 8, 16, 255, 256, 65_536],
  ...[0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff],
];

/** Places are fractions of the reply. */
const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const words = fc.integer({ min: 1, max: 16 });

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant("byte" as const), at, xor: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant("word" as const), at, value: fc.constantFrom(...telling) }),
  fc.record({ kind: fc.constant("cut" as const), at }),
  fc.record({ kind: fc.constant("repeat" as const), at, words }),
  fc.record({ kind: fc.constant("remove" as const), at, words }),
);

export const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(mutation, {
  minLength: 1,
  maxLength: 4,
});

export function mutated(reply: Buffer, changes: readonly Mutation[]): Buffer {
  return changes.reduce(mutate, Buffer.from(reply));
}

function mutate(reply: Buffer, change: Mutation): Buffer {
  const position = Math.floor(reply.length * change.at);
  const word = position - (position % 4);
  switch (change.kind) {
    case "byte":
      if (reply.length > 0) reply.writeUInt8(reply.readUInt8(position) ^ change.xor, position);
      return reply;
    case "word":
      if (reply.length >= word + 4) reply.writeUInt32BE(change.value, word);
      return reply;
    case "cut":
      return reply.subarray(0, position);
    case "repeat": {
      const run = reply.subarray(word, word + change.words * 4);
      return Buffer.concat([reply.subarray(0, word), run, reply.subarray(word)]);
    }
    case "remove":
      return Buffer.concat([reply.subarray(0, word), reply.subarray(word + change.words * 4)]);
  }
}
