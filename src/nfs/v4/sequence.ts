import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { XdrWriter } from "../../xdr/xdr-writer.ts";

/** SEQUENCE (RFC 8881 §18.46): every compound within a session begins with it. */
export const sequenceCode = 53;
/** `sessionid4` (RFC 8881 §3.2). */
export const sessionIdBytes = 16;

export interface SequenceArguments {
  readonly sessionId: Uint8Array;
  readonly sequence: number;
  readonly slot: number;
  /** The highest slot in use, for the server to shrink its table by. */
  readonly highestSlot: number;
  /** Whether the server shall keep the whole reply, for the case that it is lost. */
  readonly cacheThis: boolean;
}

/** `SEQUENCE4args` (RFC 8881 §18.46.1). */
export function writeSequence(writer: XdrWriter, args: SequenceArguments): void {
  writer.uint32(sequenceCode).fixedOpaque(args.sessionId);
  writer.uint32(args.sequence).uint32(args.slot).uint32(args.highestSlot).boolean(args.cacheThis);
}

/** `SEQUENCE4resok` (RFC 8881 §18.46.2). */
export interface SequenceResult {
  readonly sequence: number;
  readonly slot: number;
  /** The highest slot that the server wants us to use from now on. */
  readonly targetSlot: number;
  /** SEQ4_STATUS bits. */
  readonly flags: number;
}

/** `SEQUENCE4resok` (RFC 8881 §18.46.2). */
export function readSequence(reader: XdrReader): SequenceResult {
  reader.skip(sessionIdBytes);
  const sequence = reader.uint32();
  const slot = reader.uint32();
  reader.uint32(); // the highest slot that exists
  return { sequence, slot, targetSlot: reader.uint32(), flags: reader.uint32() };
}

/**
 * SEQ4_STATUS_RESTART_RECLAIM_NEEDED (RFC 8881 §18.46.3): the server has restarted, and kept the session; it waits
 * for RECLAIM_COMPLETE.
 */
export const restartReclaimNeeded = 0x100;
