import type { XdrReader } from "../xdr/xdr-reader.ts";
import type { XdrWriter } from "../xdr/xdr-writer.ts";
import type { Credentials } from "./auth-sys.ts";
import { describeRejection, type Program, type Rejection } from "./message.ts";
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

export interface RpcReply {
  /** At the procedure's results. Views of them stay valid. */
  readonly results: XdrReader;
  /** How often the call was sent; beyond 1 the server may have run it for an earlier one. */
  readonly sends: number;
}

/** A call on its way: waiting for the wire, on it, or (with `onLateEnd`) on it without a caller. */
export class PendingCall {
  readonly request: CallRequest;
  readonly #resolve: (reply: RpcReply) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onAbort: (call: PendingCall) => void;
  /** The whole record, and its xid, once it was written. */
  record: Buffer | undefined;
  xid: number | undefined;
  sends = 0;
  /** Whether the caller has its answer. */
  settled = false;

  constructor(
    request: CallRequest,
    resolve: (reply: RpcReply) => void,
    reject: (error: unknown) => void,
    onAbort: (call: PendingCall) => void,
  ) {
    this.request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#onAbort = onAbort;
    request.signal?.addEventListener("abort", this);
  }

  /** As the listener of the caller's signal. */
  handleEvent(): void {
    this.#onAbort(this);
  }

  reply(results: XdrReader): void {
    if (this.settled) this.request.onLateEnd?.(results);
    else this.#settle(() => this.#resolve({ results, sends: this.sends }));
  }

  /** @param server as messages name it */
  rejected(rejection: Rejection, server: string): void {
    const message = describeRejection(rejection, this.request.program);
    this.fail({ kind: "rejected", rejection }, `${server}: ${this.request.name}: ${message}`);
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
    this.#settle(() => this.#reject(error));
  }

  #settle(tell: () => void): void {
    if (this.settled) return;
    this.settled = true;
    this.request.signal?.removeEventListener("abort", this);
    tell();
  }
}
