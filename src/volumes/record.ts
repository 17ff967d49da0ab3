import * as v from "valibot";
import { BerthError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { type Nonce, parseNonce } from "../core/nonce.ts";
import type { SharePath } from "../share/share-path.ts";
import { parseDirectoryPath } from "./directory-path.ts";
import { onDeleteChoices } from "./volume.ts";

const schemaVersion = 1;

const nonce = v.pipe(v.string(), v.regex(/^[a-z2-7]{26}$/));
const decimal = v.pipe(v.string(), v.regex(/^[0-9]{1,20}$/));
/** CSI's sizes are int64. */
const sizeBytes = v.pipe(
  decimal,
  v.check((text) => BigInt(text) < 2n ** 63n),
);
/** One that JavaScript reads too: of a retention that is NaN the end would have come. */
const time = v.pipe(
  v.string(),
  v.isoTimestamp(),
  v.check((text) => !Number.isNaN(Date.parse(text))),
);
const octal = v.pipe(v.string(), v.regex(/^[0-7]{4}$/));
const id = v.pipe(v.number(), v.integer(), v.minValue(0));

/** A forged one must not lead anywhere. */
const directoryPath = v.pipe(
  v.string(),
  v.rawTransform(({ dataset, addIssue, NEVER }): SharePath => {
    try {
      return parseDirectoryPath(dataset.value);
    } catch {
      addIssue({ message: "is no directory of a volume" });
      return NEVER;
    }
  }),
);

/** Whose a volume is: listing, reaping and reports keep to their own. */
const owner = { cluster: v.string(), driver: v.string() };

const identitySchema = v.object({
  schema: v.literal(schemaVersion),
  ...owner,
  id: v.string(),
  requestedName: v.string(),
  nonce,
  directory: v.object({
    path: directoryPath,
    /** What the directory is, whatever its name; the fsid is for people: a reboot may change it. */
    fsid: v.pipe(v.string(), v.regex(/^[0-9]{1,39}$/)), // 128 bits in NFS 4 (RFC 8881 §5.8.1.9)
    fileid: decimal,
    mode: octal,
    uid: v.exactOptional(id),
    gid: v.exactOptional(id),
  }),
  sizeBytes,
  accessModes: v.array(
    v.picklist([
      "SINGLE_NODE_WRITER",
      "SINGLE_NODE_READER_ONLY",
      "MULTI_NODE_READER_ONLY",
      "MULTI_NODE_SINGLE_WRITER",
      "MULTI_NODE_MULTI_WRITER",
      "SINGLE_NODE_SINGLE_WRITER",
      "SINGLE_NODE_MULTI_WRITER",
    ]),
  ),
  mountFlags: v.array(v.string()),
  parameters: v.record(v.string(), v.string()),
  claim: v.exactOptional(v.object({ name: v.string(), namespace: v.string() })),
  trashRetentionMs: v.pipe(id, v.maxValue(limits.durationMsMax)),
  /** Absent: delete. */
  onDelete: v.exactOptional(v.picklist(onDeleteChoices)),
  /** The directory existed before the volume (`adoptExisting`). */
  adopted: v.exactOptional(v.literal(true)),
  createdAt: time,
});

const sizeSchema = v.object({
  schema: v.literal(schemaVersion),
  generation: v.pipe(v.number(), v.integer(), v.minValue(1)),
  nonce,
  sizeBytes,
  changedAt: time,
});

const deletedSchema = v.object({
  schema: v.literal(schemaVersion),
  nonce,
  deletedAt: time,
  purgeAfter: time,
});

const parentSchema = v.object({ schema: v.literal(schemaVersion), ...owner, nonce, fileid: decimal });

/** Says which directory Berth made to put volumes in. */
export type Parent = v.InferOutput<typeof parentSchema>;
/** What is written once, when a volume's name is claimed: enough to write its PV again. */
export type Identity = v.InferOutput<typeof identitySchema>;
/** A later size; the highest generation counts. */
export type Size = v.InferOutput<typeof sizeSchema>;
/** Says that the volume's deletion has been decided, and when the trash may forget it. */
export type Deleted = v.InferOutput<typeof deletedSchema>;

export interface Owner {
  readonly cluster: string;
  readonly driver: string;
}

/** Which volume it is, and whether its deletion is decided. */
export interface VolumeFate {
  readonly identity: Identity;
  readonly deleted: Deleted | undefined;
}

/** All that a share knows of one volume. */
export interface VolumeRecord extends VolumeFate {
  /** 0 as long as the size is the identity's. */
  readonly generation: number;
  readonly sizeBytes: bigint;
}

export const newIdentity = (fields: Omit<Identity, "schema">): Identity => ({
  schema: schemaVersion,
  ...fields,
});
export const newSize = (fields: Omit<Size, "schema">): Size => ({ schema: schemaVersion, ...fields });
export const newDeleted = (fields: Omit<Deleted, "schema">): Deleted => ({
  schema: schemaVersion,
  ...fields,
});

export const newParent = (fields: Omit<Parent, "schema">): Parent => ({ schema: schemaVersion, ...fields });

/** The bytes of a record's file: JSON that a person can read, with a line end. */
export function encodeRecord(record: Identity | Size | Deleted | Parent): Uint8Array {
  return Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`);
}

/** Identities that were read last, by their bytes. */
const known = new Map<string, Identity>();
const knownMax = 128;
const knownBytesMax = 4096;

/** What is written once never changes, and a deletion reads the same bytes under several names, before and after. */
export function decodeIdentity(content: Uint8Array, path: string): Identity {
  if (content.length > knownBytesMax) return decode(identitySchema, content, path);
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length).toString("latin1");
  const found = known.get(bytes);
  if (found !== undefined) return found;
  const identity = decode(identitySchema, content, path);
  for (const oldest of known.keys()) {
    if (known.size < knownMax) break;
    known.delete(oldest);
  }
  known.set(bytes, identity);
  return identity;
}

export const decodeSize = (content: Uint8Array, path: string): Size => decode(sizeSchema, content, path);
export const decodeDeleted = (content: Uint8Array, path: string): Deleted =>
  decode(deletedSchema, content, path);

export const decodeParent = (content: Uint8Array, path: string): Parent =>
  decode(parentSchema, content, path);

export const nonceOf = (record: { readonly nonce: string }): Nonce => parseNonce(record.nonce);

export function isOwnedBy(identity: Identity, owner: Owner): boolean {
  return identity.cluster === owner.cluster && identity.driver === owner.driver;
}

/** @throws BerthError `failed-precondition` for a file that is cut, edited beyond reading, or of a later version */
function decode<Schema extends v.GenericSchema>(
  schema: Schema,
  content: Uint8Array,
  path: string,
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, parseJson(content), { abortPipeEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const where = v.getDotPath(issue);
  throw new BerthError(
    "failed-precondition",
    `record ${path} cannot be read (${where === null ? "it is no JSON object" : `${where} is missing or malformed`}): ` +
      "restore it from a backup, or remove the volume's directory and its record by hand",
  );
}

function parseJson(content: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch {
    return undefined; // the schema refuses it, and says where
  }
}
