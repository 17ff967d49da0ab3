import type { RpcConnection } from "../../rpc/connection.ts";
import { monotonicMs } from "../../rpc/deadline-timer.ts";
import { RpcError } from "../../rpc/rpc-error.ts";
import { XdrError } from "../../xdr/xdr-error.ts";
import type { XdrReader } from "../../xdr/xdr-reader.ts";
import type { XdrWriter } from "../../xdr/xdr-writer.ts";
import { nfsLimits } from "../limits.ts";
import { status } from "../status.ts";
import { waitOut } from "../wait-out.ts";
import {
  type CompoundHeader,
  type CompoundReply,
  compoundProcedure,
  type MinorVersion,
  nfs4Program,
  readCompoundHeader,
  readResults,
  writeCompoundHeader,
  writeOperation,
} from "./compound.ts";
import type { Operation } from "./operation.ts";
import { type CallContext, callPlain } from "./plain-call.ts";
import { readSequence, restartReclaimNeeded, sequenceCode, writeSequence } from "./sequence.ts";
import { SessionLost } from "./session-lost.ts";
import { bindConnection, type CreatedSession, reclaimComplete } from "./session-operations.ts";
import { type Slot, SlotTable } from "./slots.ts";

/** What SEQUENCE said of a request. */
type Sequenced =
  | { readonly kind: "taken"; readonly header: CompoundHeader }
  /** Refused without taking the sequence number. */
  | { readonly kind: "refused"; readonly code: number };

/** What became of a request that was sent. */
type Answer<Operations extends readonly Operation<unknown>[]> =
  | { readonly kind: "taken"; readonly results: CompoundReply<Operations> }
  | { readonly kind: "refused"; readonly code: number; readonly sends: number };

/** SEQUENCE's errors after which the session is of no use (RFC 8881 §15.1.11, §2.10.13). */
const lostCodes: ReadonlySet<number> = new Set([
  status.badsession,
  status.deadsession,
  status.staleClientid,
  status.badslot,
  status.badHighSlot,
  status.seqMisordered,
  status.seqFalseRetry,
]);

/**
 * A session (RFC 8881 §2.10): each request takes a slot, and the server answers a request of the same
 * slot and sequence number as it did the first time. A slot whose answer did not come stays busy: the
 * connection repeats the request on the next socket until the answer is there.
 */
export class Session {
  readonly limits: CreatedSession["limits"];
  readonly sessionId: Uint8Array;
  readonly #connection: RpcConnection;
  readonly #minor: MinorVersion;
  readonly #slots: SlotTable;
  #lost: SessionLost | undefined;
  #usedMs = monotonicMs();
  #reclaiming = false;

  constructor(connection: RpcConnection, minor: MinorVersion, { sessionId, limits }: CreatedSession) {
    this.#connection = connection;
    this.#minor = minor;
    this.sessionId = sessionId;
    this.limits = limits;
    this.#slots = new SlotTable(limits.slots);
  }

  /** When the server last took a request, which renewed the lease; on the clock of `monotonicMs`. */
  get usedMs(): number {
    return this.#usedMs;
  }

  /**
   * One compound, exactly once within this session.
   * @throws SessionLost when it needs another, RpcError, XdrError for results that are none
   */
  async call<const Operations extends readonly Operation<unknown>[]>(
    operations: Operations,
    context: CallContext,
  ): Promise<CompoundReply<Operations>> {
    if (this.#lost !== undefined) throw this.#lost;
    const slot = this.#slots.take() ?? (await this.#slots.wait(context.deadlineMs, context.signal));
    for (let attempt = 0, sends = 0; ; attempt++) {
      const reply = await this.#send(slot, operations, context, sends).catch((error: unknown) => {
        if (error instanceof RpcError) this.#settle(slot, error);
        throw error;
      });
      if (reply.kind === "taken") return reply.results;
      sends += reply.sends;
      if (await this.#prepareAgain(reply.code, attempt, slot, sends, context)) continue;
      this.#slots.release(slot);
      return { status: "error", code: reply.code, index: 0, results: [] };
    }
  }

  /** Nothing can be called any more. */
  end(reason: SessionLost): void {
    this.#lost ??= reason;
    this.#slots.break(reason);
  }

  /** @param sendsBefore how often the same slot and sequence number went out already */
  #send<const Operations extends readonly Operation<unknown>[]>(
    slot: Slot,
    operations: Operations,
    context: CallContext,
    sendsBefore: number,
  ): Promise<Answer<Operations>> {
    return this.#connection.run({
      program: nfs4Program,
      procedure: compoundProcedure,
      name: operations.at(-1)?.name ?? "SEQUENCE",
      credentials: context.credentials,
      deadlineMs: context.deadlineMs,
      signal: context.signal,
      encode: (writer) => this.#encode(writer, slot, operations),
      decode: (results, sends) => this.#decode(slot, results, operations, sends, sendsBefore),
      onLateEnd: (results) => this.#endLate(slot, results),
    });
  }

  #decode<const Operations extends readonly Operation<unknown>[]>(
    slot: Slot,
    results: XdrReader,
    operations: Operations,
    sends: number,
    sendsBefore: number,
  ): Answer<Operations> {
    const sequenced = this.#readSequenced(slot, results, sendsBefore + sends);
    if (sequenced.kind === "refused") return { ...sequenced, sends };
    return { kind: "taken", results: readResults(results, sequenced.header, operations) };
  }

  #encode(writer: XdrWriter, slot: Slot, operations: readonly Operation<unknown>[]): void {
    try {
      this.#writeCompound(writer, slot, operations);
    } catch (error) {
      this.#slots.release(slot); // nothing is sent
      throw error;
    }
  }

  #writeCompound(writer: XdrWriter, slot: Slot, operations: readonly Operation<unknown>[]): void {
    writeCompoundHeader(writer, this.#minor, operations.length + 1);
    writeSequence(writer, {
      sessionId: this.sessionId,
      sequence: (slot.sequence + 1) >>> 0,
      slot: slot.id,
      highestSlot: this.#slots.highestBusy,
      cacheThis: operations.some(({ once }) => once === true),
    });
    for (const operation of operations) writeOperation(writer, operation);
  }

  /** What becomes of the slot of a call without a reply. */
  #settle(slot: Slot, error: RpcError): void {
    const { kind } = error.failure;
    if (error.sends === 0) this.#slots.release(slot);
    else if (kind === "rejected") this.end(new SessionLost("a call was rejected", false, error));
    else if (kind !== "timeout" && kind !== "cancelled") {
      this.end(new SessionLost("a slot in doubt", true, error));
    } // else it stays busy until `#endLate`
  }

  /** The answer of a call whose caller has gone; none when there will be none. */
  #endLate(slot: Slot, results: XdrReader | undefined): void {
    if (results === undefined) {
      this.end(new SessionLost("a slot in doubt", true));
      return;
    }
    try {
      const sequenced = this.#readSequenced(slot, results, 1);
      if (sequenced.kind === "refused") this.#slots.release(slot);
    } catch {
      // the session has ended, as the next call will find
    }
  }

  /** Reads up to the results of the operations, and frees the slot if the request was taken. */
  #readSequenced(slot: Slot, results: XdrReader, sends: number): Sequenced {
    const header = this.#readHeader(results);
    const { code } = header;
    if (header.code !== status.ok && header.results === 0) return this.#refused(code, sends);
    const sequenceStatus = this.#readSequenceStatus(results);
    if (sequenceStatus !== status.ok) return this.#refused(sequenceStatus, sends);
    this.#take(slot, results);
    return { kind: "taken", header: { code, results: header.results - 1 } };
  }

  #refused(code: number, sends: number): Sequenced {
    if (lostCodes.has(code)) throw this.#lose(code, sends > 1);
    // Should the refusal not be true (a byte changed on the way), the next request of the slot would get this one's answer.
    if (code !== status.delay && code !== status.connNotBoundToSession)
      this.end(new SessionLost(code, false));
    return { kind: "refused", code };
  }

  #readHeader(results: XdrReader): CompoundHeader {
    try {
      return readCompoundHeader(results);
    } catch (error) {
      throw this.#lose("a malformed reply", true, error);
    }
  }

  #readSequenceStatus(results: XdrReader): number {
    try {
      if (results.uint32() !== sequenceCode)
        throw new XdrError("a compound that does not begin with SEQUENCE");
      return results.uint32();
    } catch (error) {
      throw this.#lose("a malformed reply", true, error);
    }
  }

  #take(slot: Slot, results: XdrReader): void {
    const { targetSlot, flags } = this.#readSequence(slot, results);
    slot.sequence = (slot.sequence + 1) >>> 0;
    this.#usedMs = monotonicMs();
    this.#slots.setTarget(targetSlot);
    this.#slots.release(slot);
    if ((flags & restartReclaimNeeded) !== 0) this.#reclaim();
  }

  #readSequence(slot: Slot, results: XdrReader): ReturnType<typeof readSequence> {
    try {
      const result = readSequence(results);
      if (result.slot === slot.id && result.sequence === (slot.sequence + 1) >>> 0) return result;
      throw new XdrError("the answer of another slot");
    } catch (error) {
      throw this.#lose("a malformed reply", true, error);
    }
  }

  /** Ends the session for all. @param doubtful whether the request at hand may have been run */
  #lose(reason: number | string, doubtful: boolean, cause?: unknown): SessionLost {
    this.end(new SessionLost(reason, false, cause)); // what was not sent yet is in no doubt
    return new SessionLost(reason, doubtful, cause);
  }

  /**
   * SEQUENCE itself was refused, so nothing was done: does what the refusal asks for.
   * @returns whether the same slot and number may be tried again
   */
  async #prepareAgain(
    code: number,
    attempt: number,
    slot: Slot,
    sends: number,
    context: CallContext,
  ): Promise<boolean> {
    try {
      if (code === status.connNotBoundToSession && attempt < nfsLimits.recoveriesMax) {
        await callPlain(this.#connection, this.#minor, bindConnection(this.sessionId), context);
        return true;
      }
      return code === status.delay && (await waitOut(attempt, context));
    } catch (error) {
      if (sends > 1) throw this.#lose("a slot in doubt", true, error);
      this.#slots.release(slot);
      throw error;
    }
  }

  /** The server has restarted, and kept the session: tell it that we reclaim nothing. */
  #reclaim(): void {
    if (this.#reclaiming) return;
    this.#reclaiming = true;
    const context = {
      credentials: { uid: 0, gid: 0, gids: [] },
      deadlineMs: monotonicMs() + nfsLimits.timeoutMsDefault,
    };
    this.call([reclaimComplete], context)
      .catch(() => {}) // the server says again that it waits
      .finally(() => {
        this.#reclaiming = false;
      });
  }
}
