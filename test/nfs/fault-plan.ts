/**
 * What a faulty network does to each record: a pure function of a seed and of where the record is. The same
 * seed does the same to the same traffic, so every failure can be played again.
 */

export type Direction = "to-server" | "to-client";

export type Fault =
  | { readonly kind: "pass" }
  | { readonly kind: "delay"; readonly ms: number }
  /** The connection ends before the record. */
  | { readonly kind: "drop" }
  /** The connection ends in the middle of it. */
  | { readonly kind: "cut"; readonly at: number }
  /** It goes in pieces, each a segment of its own. */
  | { readonly kind: "split"; readonly pieces: number }
  /** It goes in one segment with the record after it. */
  | { readonly kind: "join" }
  | { readonly kind: "duplicate" }
  /** One byte behind the mark is changed. */
  | { readonly kind: "corrupt"; readonly at: number; readonly xor: number }
  /** One byte of the mark is changed. */
  | { readonly kind: "corrupt-mark"; readonly at: number; readonly xor: number };

/** How probable each fault is, for one record; what is left passes. `at` of a fault is a fraction of the record. */
export interface FaultPlan {
  readonly seed: number;
  readonly rates: Partial<Readonly<Record<Exclude<Fault["kind"], "pass">, number>>>;
  readonly delayMsMax?: number;
}

export interface RecordPlace {
  /** Of the proxy, in the order in which they came. */
  readonly connection: number;
  readonly direction: Direction;
  /** Of the connection in this direction. */
  readonly record: number;
}

const kinds = ["delay", "drop", "cut", "split", "join", "duplicate", "corrupt", "corrupt-mark"] as const;

export function faultOf(plan: FaultPlan, place: RecordPlace): Fault {
  const random = randomFrom(plan.seed, place);
  let rest = random();
  for (const kind of kinds) {
    rest -= plan.rates[kind] ?? 0;
    if (rest < 0) return makeFault(kind, random, plan.delayMsMax ?? 20);
  }
  return { kind: "pass" };
}

function makeFault(kind: (typeof kinds)[number], random: () => number, delayMsMax: number): Fault {
  switch (kind) {
    case "delay":
      return { kind, ms: Math.ceil(random() * delayMsMax) };
    case "split":
      return { kind, pieces: 2 + Math.floor(random() * 4) };
    case "cut":
      return { kind, at: random() };
    case "corrupt":
    case "corrupt-mark":
      return { kind, at: random(), xor: 1 + Math.floor(random() * 255) };
    default:
      return { kind };
  }
}

/** Mulberry32, begun from the seed and the place. */
function randomFrom(seed: number, place: RecordPlace): () => number {
  const direction = place.direction === "to-server" ? 1 : 2;
  let state = [place.connection, direction, place.record].reduce(
    (mixed, number) => Math.imul(mixed ^ (number + 0x9e3779b9), 0x85ebca6b) ^ (mixed >>> 13),
    seed,
  );
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
