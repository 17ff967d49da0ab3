import { XdrError } from "../../xdr/xdr-error.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { XdrWriter } from "../../xdr/xdr-writer.ts";
import { nfsLimits } from "../limits.ts";
import { bitmapOf, readBitmap, writeBitmap } from "./bitmap.ts";
import { nothing, type Operation } from "./operation.ts";
import { sessionIdBytes } from "./sequence.ts";

const useNonPnfs = 0x0001_0000;
const protectNothing = 0;

/** What a server knows a client by (RFC 8881 §2.4). */
export interface ClientOwner {
  /** Another verifier under the same id means: the client has restarted, forget its state. */
  readonly verifier: Uint8Array;
  readonly id: Uint8Array;
}

export interface ExchangedId {
  readonly clientId: bigint;
  /** For CREATE_SESSION. */
  readonly sequence: number;
}

/** EXCHANGE_ID (RFC 8881 §18.35), without state protection and pNFS. */
export function exchangeId(owner: ClientOwner): Operation<ExchangedId> {
  return {
    code: 42,
    name: "EXCHANGE_ID",
    encode: (writer) => {
      writer.fixedOpaque(owner.verifier).opaque(owner.id);
      writer.uint32(useNonPnfs).uint32(protectNothing).uint32(0); // and no implementation id
    },
    decode: readExchangedId,
  };
}

function readExchangedId(reader: XdrReader): ExchangedId {
  const clientId = reader.uint64();
  const sequence = reader.uint32();
  reader.uint32(); // flags
  if (reader.uint32() !== protectNothing) throw new XdrError("a state protection that was not asked for");
  return { clientId, sequence };
}

/** What we ask of a session, and what the server grants (RFC 8881 §18.36 `channel_attrs4`). */
export interface ChannelLimits {
  readonly requestBytesMax: number;
  readonly responseBytesMax: number;
  readonly cachedBytesMax: number;
  readonly operationsMax: number;
  readonly slots: number;
}

export interface CreatedSession {
  readonly sessionId: Uint8Array;
  readonly limits: ChannelLimits;
}

const wanted: ChannelLimits = {
  requestBytesMax: nfsLimits.transferBytesMax + nfsLimits.headerBytesMax,
  responseBytesMax: nfsLimits.transferBytesMax + nfsLimits.headerBytesMax,
  cachedBytesMax: nfsLimits.cachedResponseBytesMax,
  operationsMax: nfsLimits.operationsMax,
  slots: nfsLimits.slotsMax,
};

/** For callbacks, which we never get: no delegations, no layouts, no asynchronous copies. */
const backChannel: ChannelLimits = {
  requestBytesMax: 4096,
  responseBytesMax: 4096,
  cachedBytesMax: 0,
  operationsMax: 2,
  slots: 1,
};
const callbackProgram = 0x4000_0000;

/** CREATE_SESSION (RFC 8881 §18.36) */
export function createSession({ clientId, sequence }: ExchangedId): Operation<CreatedSession> {
  return {
    code: 43,
    name: "CREATE_SESSION",
    encode: (writer) => {
      writer.uint64(clientId).uint32(sequence).uint32(0); // neither persistent nor with a back channel
      writeChannel(writer, wanted);
      writeChannel(writer, backChannel);
      writer.uint32(callbackProgram).uint32(1).uint32(0); // security of callbacks: AUTH_NONE
    },
    decode: (reader) => {
      const sessionId = Buffer.from(reader.fixedOpaque(sessionIdBytes));
      reader.skip(4 + 4); // sequence, flags
      return { sessionId, limits: readChannel(reader) };
    },
  };
}

function writeChannel(writer: XdrWriter, limits: ChannelLimits): void {
  writer.uint32(0).uint32(limits.requestBytesMax).uint32(limits.responseBytesMax);
  writer.uint32(limits.cachedBytesMax).uint32(limits.operationsMax).uint32(limits.slots);
  writer.uint32(0); // no RDMA
}

/** Never more than we asked for: a server must not make us use more. @throws XdrError for a useless one */
function readChannel(reader: XdrReader): ChannelLimits {
  reader.uint32(); // header padding
  const limits = {
    requestBytesMax: Math.min(reader.uint32(), wanted.requestBytesMax),
    responseBytesMax: Math.min(reader.uint32(), wanted.responseBytesMax),
    cachedBytesMax: Math.min(reader.uint32(), wanted.cachedBytesMax),
    operationsMax: Math.min(reader.uint32(), wanted.operationsMax),
    slots: Math.min(reader.uint32(), wanted.slots),
  };
  const useful = limits.slots > 0 && limits.operationsMax >= operationsMin;
  const roomy = Math.min(limits.requestBytesMax, limits.responseBytesMax) > nfsLimits.headerBytesMax;
  if (!useful || !roomy) throw new XdrError("a session too small to be of use");
  return limits;
}

/** The longest compound that cannot be split: that of `create`. */
const operationsMin = 8;

/** RECLAIM_COMPLETE (RFC 8881 §18.51): we have nothing to reclaim; without it OPEN gives GRACE for ever. */
export const reclaimComplete: Operation<void> = {
  code: 58,
  name: "RECLAIM_COMPLETE",
  encode: (writer) => void writer.boolean(false), // of all file systems
  decode: nothing,
};

const both = 3;

/** BIND_CONN_TO_SESSION (RFC 8881 §18.34), for servers that do not do it by themselves. */
export function bindConnection(sessionId: Uint8Array): Operation<void> {
  return {
    code: 41,
    name: "BIND_CONN_TO_SESSION",
    encode: (writer) => void writer.fixedOpaque(sessionId).uint32(both).boolean(false),
    decode: (reader) => reader.skip(sessionIdBytes + 4 + 4),
  };
}

/** DESTROY_SESSION (RFC 8881 §18.37) */
export function destroySession(sessionId: Uint8Array): Operation<void> {
  return {
    code: 44,
    name: "DESTROY_SESSION",
    encode: (writer) => void writer.fixedOpaque(sessionId),
    decode: nothing,
  };
}

/** DESTROY_CLIENTID (RFC 8881 §18.50) */
export function destroyClientid(clientId: bigint): Operation<void> {
  return {
    code: 57,
    name: "DESTROY_CLIENTID",
    encode: (writer) => void writer.uint64(clientId),
    decode: nothing,
  };
}

const leaseTime = 10;

/** GETATTR of lease_time (RFC 8881 §5.8.1.11), in seconds. */
export const leaseSeconds: Operation<number> = {
  code: 9,
  name: "GETATTR",
  encode: (writer) => writeBitmap(writer, bitmapOf(leaseTime)),
  decode: (reader) => {
    readBitmap(reader);
    return reader.uint32() >= 4 ? reader.uint32() : 0;
  },
};

const maxRead = 30;
const maxWrite = 31;

export interface TransferLimits {
  readonly readBytesMax: bigint;
  readonly writeBytesMax: bigint;
}

/** GETATTR of maxread and maxwrite (RFC 8881 §5.8.2.20–21) */
export const transferLimits: Operation<TransferLimits> = {
  code: 9,
  name: "GETATTR",
  encode: (writer) => writeBitmap(writer, bitmapOf(maxRead, maxWrite)),
  decode: (reader) => {
    const told = readBitmap(reader);
    if (told[0] !== bitmapOf(maxRead, maxWrite)[0]) throw new XdrError("no maxread and maxwrite");
    reader.uint32(); // length in bytes
    return { readBytesMax: reader.uint64(), writeBytesMax: reader.uint64() };
  },
};
