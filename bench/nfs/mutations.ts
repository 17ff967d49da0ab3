/**
 * A million replies of real servers with bytes changed, cut, repeated and removed, through the decoders: none may crash,
 * hang or make memory grow.
 *
 *     node --expose-gc bench/nfs/mutations.ts [count] [seed]
 *
 * Prints what it found as JSON; `make bench-nfs` runs it.
 */
import { parseArgs } from "node:util";
import { XdrError } from "../../src/xdr/xdr-error.ts";
import { type Mutation, mutated, telling } from "../../test/nfs/recorded/mutations.ts";
import { decodeReply, readRecording, recordings } from "../../test/nfs/recorded/replies.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const count = Number(positionals[0] ?? 1_000_000);
const seed = Number(positionals[1] ?? 1);

/** Mulberry32 (public domain): a run can be played again from its seed. */
function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = randomFrom(seed);

function upTo(limit: number): number {
  return Math.floor(random() * limit);
}

function mutation(): Mutation {
  const at = random();
  switch (upTo(5)) {
    case 0:
      return { kind: "byte", at, xor: 1 + upTo(255) };
    case 1:
      return { kind: "cut", at };
    case 2:
      return { kind: "repeat", at, words: 1 + upTo(16) };
    case 3:
      return { kind: "remove", at, words: 1 + upTo(16) };
    default:
      return { kind: "word", at, value: telling[upTo(telling.length)] ?? 0 };
  }
}

function rssMib(): number {
  global.gc?.();
  return process.memoryUsage.rss() / 2 ** 20;
}

const replies = recordings.flatMap(readRecording).map((reply) => ({
  reply,
  bytes: Buffer.from(reply.results, "hex"),
}));

/** @returns how many were decoded all the same, and the slowest one */
function run(times: number): { readonly decoded: number; readonly slowestMs: number } {
  let decoded = 0;
  let slowestMs = 0;
  for (let index = 0; index < times; index++) {
    const { reply, bytes } = replies[index % replies.length] ?? { reply: {}, bytes: Buffer.alloc(0) };
    const changed = mutated(bytes, Array.from({ length: 1 + upTo(4) }, mutation));
    const startMs = performance.now();
    try {
      decodeReply(reply, changed);
      decoded++;
    } catch (error) {
      if (!(error instanceof XdrError)) throw error;
    }
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
  }
  return { decoded, slowestMs };
}

run(Math.ceil(count / 10)); // the engine's own growth is not the decoders'
const beforeMib = rssMib();
const startMs = performance.now();
const { decoded, slowestMs } = run(count);
const seconds = (performance.now() - startMs) / 1000;
const growthMib = rssMib() - beforeMib;
process.stdout.write(
  `${JSON.stringify({ count, recorded: replies.length, perSecond: count / seconds, decoded, slowestMs, growthMib })}\n`,
);
