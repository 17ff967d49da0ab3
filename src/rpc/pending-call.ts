import type { XdrReader } from "../xdr/xdr-reader.ts";
import type { XdrWriter } from "../xdr/xdr-writer.ts";
import type { Credentials } from "./auth-sys.ts";
import { describeRejection, type Program, type Rejection } from "./message.ts";
import type { SentRecord } from "./outbox.ts";
import { RpcError, type RpcFailure } from "./rpc-error.ts";

/** One remote call. */
export interface CallRequest {
  readonly program: Program;
  readonly procedure: number;
  /** How messages name the procedure: "GETATTR". */
  readonly name: string;
  readonly credentials: Credentials;
  /** By when it must have ended, on the clock of `monotonicMs`. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Writes the arguments. Called once, when there is a place on the wire. */
  encode(writer: XdrWriter): void;
  /**
   * For a call whose place at the server stays taken until it answers (a v4 slot): when the caller has
   * gone, the call stays, is sent again over new connections, and this brings the results; undefined
   * when there are none and never will be.
   */
  onLateEnd?(results: XdrReader | undefined): void;
}

/** A call whose results are read where they lie in the receive buffer. */
export interface DecodedCallRequest<Result> extends CallRequest {
  /**
   * Makes of the results what the call returns. The bytes are overwritten afterwards: no view of them may
   * be kept. What it throws, the call rejects with.
   * @param sends how often the call was sent; beyond 1 the server may have run it for an earlier one
   */
  decode(results: XdrReader, sends: number): Result;
}

export interface RpcReply {
  /** At the procedure's results. Views of them stay valid. */
  readonly results: XdrReader;
  /** How often the call was sent; beyond 1 the server may have run it for an earlier one. */
  readonly sends: number;
}

/** A call on its way: waiting for the wire, on it, or (with `onLateEnd`) on it without a caller. */
export class PendingCall {
  readonly request: CallRequest;
  readonly #take: (results: XdrReader, sends: number) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onSettled: (call: PendingCall) => void;
  /** Where its record stands, and its xid, once it was written. */
  record: SentRecord | undefined;
  xid: number | undefined;
  sends = 0;
  /** Whether the caller has its answer. */
  settled = false;

  /** @param take hands the results to the caller */
  constructor(
    request: CallRequest,
    take: (results: XdrReader, sends: number) => void,
    reject: (error: unknown) => void,
    onSettled: (call: PendingCall) => void,
  ) {
    this.request = request;
    this.#take = take;
    this.#reject = reject;
    this.#onSettled = onSettled;
  }

  reply(results: XdrReader): void {
    if (this.settled) {
      this.request.onLateEnd?.(results);
      return;
    }
    this.#settle();
    try {
      this.#take(results, this.sends);
    } catch (error) {
      this.#reject(error);
    }
  }

  /** Whoever called knows the server and the operation: the message says only what the rejection means. */
  rejected(rejection: Rejection): void {
    this.fail({ kind: "rejected", rejection }, describeRejection(rejection, this.request.program));
  }

  /** Ends it for good, for the caller or, when the caller has gone, for `onLateEnd`. */
  fail(failure: RpcFailure, message: string, cause?: unknown): void {
    if (!this.settled) this.abandon(failure, message, cause);
    else if (this.sends > 0) this.request.onLateEnd?.(undefined);
  }

  /** The caller goes; the call itself may stay. */
  abandon(failure: RpcFailure, message: string, cause?: unknown): void {
    this.failWith(new RpcError(failure, message, { cause, sends: this.sends }));
  }

  failWith(error: unknown): void {
    if (this.settled) return;
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.settled = true;
    this.#onSettled(this);
  }
}
