import * as v from "valibot";
import { type Nonce, parseNonce } from "./nonce.ts";

/** Beside the record of a volume: `.berth/volumes/<name>/usage.json`. */
export const usageFile = "usage.json";
export const usageBytesMax = 4096;

/**
 * What a volume was last measured to take. The controller writes it, the node reads it. It is disposable: who
 * finds none, or one that cannot be read or is another volume's, goes on without.
 */
export interface UsageRecord {
  /** Of the volume's record: a name may be given again. */
  readonly nonce: Nonce;
  readonly usedBytes: bigint;
  readonly usedInodes: bigint;
  /** When the measurement began, ms since the epoch. */
  readonly measuredMs: number;
  readonly durationMs: number;
  /** Something could not be read, or counted exactly. */
  readonly approximate: boolean;
  /** Measurements in a row, up to this one, that found nothing changed. */
  readonly quietRounds: number;
  /** When it is to be measured next. */
  readonly nextMs: number;
}

const decimal = v.pipe(
  v.string(),
  v.regex(/^[0-9]{1,20}$/),
  v.transform((text) => BigInt(text)),
);
const time = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.transform((text) => Date.parse(text)),
);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const schema = v.object({
  schema: v.literal(1),
  nonce: v.pipe(v.string(), v.regex(/^[a-z2-7]{26}$/), v.transform(parseNonce)),
  usedBytes: decimal,
  usedInodes: decimal,
  measuredAt: time,
  durationMs: count,
  approximate: v.boolean(),
  quietRounds: count,
  nextAt: time,
});

export function encodeUsage(record: UsageRecord): Uint8Array {
  const { nonce, usedBytes, usedInodes, measuredMs, durationMs, approximate, quietRounds, nextMs } = record;
  const file = {
    schema: 1,
    nonce,
    usedBytes: `${usedBytes}`,
    usedInodes: `${usedInodes}`,
    measuredAt: new Date(measuredMs).toISOString(),
    durationMs,
    approximate,
    quietRounds,
    nextAt: new Date(nextMs).toISOString(),
  };
  return Buffer.from(`${JSON.stringify(file, undefined, 2)}\n`);
}

/** @returns undefined for what cannot be read, or is not of the volume with this nonce */
export function decodeUsage(content: Uint8Array, nonce: Nonce): UsageRecord | undefined {
  const parsed = v.safeParse(schema, parseJson(content));
  if (!parsed.success || parsed.output.nonce !== nonce) return undefined;
  const { schema: _, measuredAt: measuredMs, nextAt: nextMs, ...rest } = parsed.output;
  return { ...rest, measuredMs, nextMs };
}

function parseJson(content: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(content).toString("utf8"));
  } catch {
    return undefined; // the schema refuses it
  }
}
