import * as v from "valibot";
import { BerthError } from "../../core/errors.ts";
import { type Nonce, parseNonce } from "../../core/nonce.ts";
import { parseVolumeName } from "../../core/volume-id.ts";
import { join, parseSharePath, type SharePath } from "../../share/share-path.ts";
import type { Change, Promised } from "./ledger-state.ts";

/**
 * What lies in `.berth/ledger/`:
 *
 *     <n>.json              the n-th entry: the changes that it makes
 *     state-<n>.<nonce>.json  what holds after entry n, where n is a multiple of `checkpointEvery`
 */
export const ledgerPath = parseSharePath(".berth/ledger");

/** Every so many entries one tells the whole state, and those before it may go. */
export const checkpointEvery = 512;
/** About 250,000 volumes. */
export const stateBytesMax = 32 * 1024 * 1024;

export const entryPath = (number: number): SharePath => join(ledgerPath, `${number}.json`);
export const stateFile = (number: number, nonce: Nonce): string => `state-${number}.${nonce}.json`;
export const isCheckpoint = (number: number): boolean => number % checkpointEvery === 0;
/** The first checkpoint after an entry that is none. */
export const checkpointAfter = (number: number): number =>
  Math.ceil(number / checkpointEvery) * checkpointEvery;

/** What a name in the ledger's directory stands for; undefined for what is not Berth's. */
export function ledgerFile(
  name: string,
): { readonly kind: "entry" | "state"; readonly number: number } | undefined {
  const [, state, digits] = /^(state-)?(0|[1-9][0-9]{0,14})(?:\.[a-z2-7]{26})?\.json$/.exec(name) ?? [];
  if (digits === undefined) return undefined;
  return { kind: state === undefined ? "entry" : "state", number: Number(digits) };
}

const nonce = v.pipe(v.string(), v.regex(/^[a-z2-7]{26}$/), v.transform(parseNonce));
const promised = v.pipe(
  v.tuple([
    nonce,
    v.pipe(v.string(), v.transform(parseVolumeName)),
    v.pipe(
      v.string(),
      v.regex(/^[0-9]{1,20}$/),
      v.transform((text) => BigInt(text)),
    ),
    v.picklist(["adopted", "promised", "growing", "refused"]),
    v.number(),
  ]),
  v.transform(
    ([nonce, name, bytes, standing, sinceMs]): Promised => ({ nonce, name, bytes, standing, sinceMs }),
  ),
);
const entrySchema = v.object({
  schema: v.literal(1),
  nonce,
  set: v.array(promised),
  released: v.array(nonce),
  /** The file of the state after this entry. */
  state: v.exactOptional(v.string()),
});
const stateSchema = v.object({ schema: v.literal(1), promised: v.array(promised) });

export interface LedgerEntry {
  readonly changes: readonly Change[];
  readonly state: string | undefined;
}

export function encodeEntry(nonce: Nonce, changes: readonly Change[], state: string | undefined): Uint8Array {
  const set = changes.flatMap((change) => (change.kind === "set" ? [rowOf(change.promised)] : []));
  const released = changes.flatMap((change) => (change.kind === "released" ? [change.nonce] : []));
  return encode({ schema: 1, nonce, set, released, ...(state === undefined ? {} : { state }) });
}

export function encodeState(all: readonly Promised[]): Uint8Array {
  return encode({ schema: 1, promised: all.map(rowOf) });
}

export function decodeEntry(content: Uint8Array, path: SharePath): LedgerEntry {
  const { set, released, state } = decode(entrySchema, content, path);
  const changes: Change[] = [
    ...set.map((promised): Change => ({ kind: "set", promised })),
    ...released.map((nonce): Change => ({ kind: "released", nonce })),
  ];
  return { changes, state };
}

export function decodeState(content: Uint8Array, path: SharePath): readonly Promised[] {
  return decode(stateSchema, content, path).promised;
}

function rowOf({ nonce, name, bytes, standing, sinceMs }: Promised) {
  return [nonce, name, `${bytes}`, standing, sinceMs] as const;
}

function encode(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

/** @throws BerthError `unavailable`: it says nothing of the volume that somebody asks for, who is to come again */
function decode<S extends v.GenericSchema>(
  schema: S,
  content: Uint8Array,
  path: SharePath,
): v.InferOutput<S> {
  try {
    return v.parse(schema, JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content)));
  } catch (cause) {
    throw new BerthError(
      "unavailable",
      `${path}, which counts what is promised on this share, cannot be read: ` +
        `stop the controllers and remove ${ledgerPath}; it is written anew from the volumes' records`,
      { cause },
    );
  }
}
