import { randomInt } from "node:crypto";
import type { Socket } from "node:net";
import { XdrReader } from "../xdr/xdr-reader.ts";
import { AbortWatch } from "./abort-watch.ts";
import { backoffMs } from "./backoff.ts";
import { DeadlineTimer, monotonicMs } from "./deadline-timer.ts";
import { rpcLimits } from "./limits.ts";
import { readReplyHeader, writeCallHeader } from "./message.ts";
import { Outbox } from "./outbox.ts";
import { type CallRequest, type DecodedCallRequest, PendingCall, type RpcReply } from "./pending-call.ts";
import { type OnRecord, RecordAssembler } from "./record.ts";
import { RpcError } from "./rpc-error.ts";
import { SegmentPool } from "./segment.ts";
import { type Endpoint, endpointName, type LastSocket, openSocket, type Receiver } from "./socket.ts";

type State =
  /** Nothing to do, no socket. */
  | { readonly kind: "idle" }
  | { readonly kind: "connecting"; readonly abort: AbortController }
  | { readonly kind: "open"; readonly socket: Socket; readonly outbox: Outbox }
  /** The last attempt failed; the next comes later. */
  | { readonly kind: "waiting"; readonly timer: NodeJS.Timeout }
  | { readonly kind: "closed" };

/** Where what one socket brings is put together; without a socket until that is open. */
interface Inbox extends Receiver {
  socket: Socket | undefined;
  /** Why nothing more can be understood of it. */
  broken: unknown;
}

/**
 * A connection to an RPC program over TCP (RFC 5531 §11) that outlives its sockets. Many calls are in
 * flight at once, matched to replies by xid. When a socket is lost, the calls without answer go out
 * again on the next one, byte for byte and where possible from the same local port: that is how a v3
 * server's duplicate request cache and a v4.1 session's slots (RFC 8881 §2.10.6.1) know them again.
 * A call is never repeated on one and the same socket (RFC 8881 §2.9.2).
 */
export class RpcConnection {
  readonly endpoint: Endpoint;
  /** `host:port`, as messages name it. */
  readonly name: string;
  #state: State = { kind: "idle" };
  #last: LastSocket | undefined;
  #xid = randomInt(2 ** 32);
  /** Failed attempts since the server last answered a call. */
  #attempts = 0;
  #lostBecause: unknown;
  /** When the last byte came, or when the server was first asked for one after that. */
  #heardMs = 0;
  #queue: PendingCall[] = [];
  readonly #inFlight = new Map<number, PendingCall>();
  readonly #deadlines = new DeadlineTimer((nowMs) => this.#expire(nowMs));
  readonly #signals = new AbortWatch<PendingCall>((call) => this.#cancel(call));
  readonly #segments = new SegmentPool();
  /** Of the record that is being received. */
  readonly #reader = new XdrReader(Buffer.alloc(0));

  private constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
    this.name = endpointName(endpoint);
  }

  /** @throws RpcError when the first attempt fails on every address; later ones are made again */
  static async open(endpoint: Endpoint, signal: AbortSignal): Promise<RpcConnection> {
    const connection = new RpcConnection(endpoint);
    const inbox = connection.#inbox();
    connection.#opened(await openSocket(endpoint, inbox, signal), inbox);
    return connection;
  }

  /** From where the calls come, as far as this machine knows; nothing before the first socket. */
  get local(): { readonly localAddress?: string; readonly localPort?: number } {
    return this.#local;
  }
  #local: { readonly localAddress?: string; readonly localPort?: number } = {};

  /** @throws RpcError by the request's deadline at the latest */
  call(request: CallRequest): Promise<RpcReply> {
    const decode = (results: XdrReader, sends: number) => ({ results: results.detached(), sends });
    return this.run({ ...request, decode });
  }

  /** As `call`, for what the request makes of the results at once and without a copy. */
  run<Result>(request: DecodedCallRequest<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const take = (results: XdrReader, sends: number) => resolve(request.decode(results, sends));
      const call = new PendingCall(request, take, reject, this.#settled);
      if (!this.#admit(call)) return;
      this.#signals.add(request.signal, call);
      this.#deadlines.watch(request.deadlineMs);
      this.#queue.push(call);
      this.#pump();
    });
  }

  /** Ends the socket and every call. */
  close(): void {
    const state = this.#state;
    this.#state = { kind: "closed" };
    this.#deadlines.clear();
    if (state.kind === "connecting") state.abort.abort();
    if (state.kind === "waiting") clearTimeout(state.timer);
    if (state.kind === "open") state.socket.destroySoon();
    const calls = [...this.#inFlight.values(), ...this.#queue.splice(0)];
    for (const call of calls) this.#remove(call);
    for (const call of calls) call.fail({ kind: "closed" }, `the connection to ${this.name} was closed`);
    this.#signals.clear();
  }

  #admit(call: PendingCall): boolean {
    if (this.#queue.length >= rpcLimits.callsQueuedMax) this.#skipSettled();
    if (this.#state.kind === "closed") {
      call.fail({ kind: "closed" }, `the connection to ${this.name} was closed`);
    } else if (this.#queue.length >= rpcLimits.callsQueuedMax) {
      const message = `${rpcLimits.callsQueuedMax} calls wait for ${this.name} already: start fewer at once`;
      call.fail({ kind: "overload" }, message);
    } else if (call.request.signal?.aborted === true) {
      this.#cancel(call);
    }
    return !call.settled;
  }

  /** Puts on the wire what may go. */
  readonly #pump = (): void => {
    if (this.#state.kind === "idle") this.#connect();
    if (this.#state.kind !== "open") return;
    const { outbox } = this.#state;
    while (this.#inFlight.size < rpcLimits.callsInFlightMax && outbox.ready) {
      const call = this.#queue.shift();
      if (call === undefined) return;
      if (!call.settled) this.#send(call, outbox);
    }
  };

  #send(call: PendingCall, outbox: Outbox): void {
    const { request } = call;
    const xid = this.#nextXid();
    try {
      call.record = outbox.append((writer) => {
        writeCallHeader(writer, xid, request.program, request.procedure, request.credentials);
        request.encode(writer);
      });
    } catch (error) {
      call.failWith(error);
      return;
    }
    call.sends = 1;
    call.xid = xid;
    if (this.#inFlight.size === 0) this.#heardMs = monotonicMs();
    this.#inFlight.set(xid, call);
    if (this.#inFlight.size === 1) outbox.flush();
  }

  #nextXid(): number {
    do this.#xid = (this.#xid + 1) >>> 0;
    while (this.#inFlight.has(this.#xid));
    return this.#xid;
  }

  #connect(): void {
    const abort = new AbortController();
    this.#state = { kind: "connecting", abort };
    const inbox = this.#inbox();
    openSocket(this.endpoint, inbox, abort.signal, this.#last).then(
      (socket) => (abort.signal.aborted ? socket.destroy() : this.#opened(socket, inbox)),
      (error: unknown) => {
        if (!abort.signal.aborted) this.#lost(error);
      },
    );
  }

  #opened(socket: Socket, inbox: Inbox): void {
    const { remoteAddress, localAddress, localPort } = socket;
    if (remoteAddress !== undefined && localAddress !== undefined && localPort !== undefined) {
      this.#last = { address: remoteAddress, localPort };
      this.#local = { localAddress, localPort };
    }
    const outbox = new Outbox(socket, this.#segments, this.#pump);
    this.#state = { kind: "open", socket, outbox };
    this.#heardMs = monotonicMs();
    this.#listen(socket, inbox);
    for (const call of this.#inFlight.values()) this.#sendAgain(call, outbox);
    this.#pump();
    if (inbox.broken !== undefined) this.#drop(socket, inbox.broken);
  }

  #sendAgain(call: PendingCall, outbox: Outbox): void {
    if (call.record === undefined || call.sends >= rpcLimits.sendsMax) {
      this.#remove(call);
      const message = `the connection to ${this.name} broke ${call.sends} times: is it an NFS server that listens there, does it want TLS, does it admit this machine?`;
      call.fail({ kind: "disconnected" }, message, this.#lostBecause);
      return;
    }
    call.sends++;
    outbox.appendAgain(call.record);
  }

  #inbox(): Inbox {
    const records = new RecordAssembler();
    const inbox: Inbox = {
      socket: undefined,
      broken: undefined,
      room: () => records.room(),
      push: (chunk, lengthBytes) => {
        if (inbox.broken !== undefined) return;
        this.#heardMs = monotonicMs();
        try {
          records.push(chunk, this.#receive, lengthBytes);
        } catch (error) {
          inbox.broken = error;
          if (inbox.socket !== undefined) this.#drop(inbox.socket, error);
        }
      },
    };
    return inbox;
  }

  #listen(socket: Socket, inbox: Inbox): void {
    inbox.socket = socket;
    socket.on("error", (error) => this.#drop(socket, error));
    socket.on("close", () => this.#drop(socket, undefined));
    // Not the socket's own time-out: what we send, such as the renewal of a lease, would put that off for ever.
    const watch = setInterval(() => this.#checkStall(socket, watch), rpcLimits.stallMsMax / 10);
    watch.unref();
  }

  /** @throws XdrError when the stream carries something else than replies */
  readonly #receive: OnRecord = (bytes, start, end) => {
    const reader = this.#reader.lend(bytes, start, end);
    const call = this.#inFlight.get(reader.uint32());
    if (call === undefined) return; // the caller has gone
    const rejection = readReplyHeader(reader);
    this.#remove(call);
    this.#attempts = 0;
    if (rejection === undefined) call.reply(reader);
    else call.rejected(rejection);
    if (this.#queue.length > 0) this.#pump();
  };

  #checkStall(socket: Socket, watch: NodeJS.Timeout): void {
    if (socket.destroyed) clearInterval(watch);
    const silentMs = monotonicMs() - this.#heardMs;
    if (this.#inFlight.size === 0 || silentMs < rpcLimits.stallMsMax) return;
    this.#drop(socket, new Error(`no byte came for ${rpcLimits.stallMsMax} ms`));
  }

  #drop(socket: Socket, cause: unknown): void {
    if (this.#state.kind !== "open" || this.#state.socket !== socket) return;
    reset(socket);
    this.#lost(cause);
  }

  /** No socket any more: try again if anybody waits. */
  #lost(cause: unknown): void {
    this.#lostBecause = cause;
    this.#skipSettled();
    if (this.#inFlight.size === 0 && this.#queue.length === 0) {
      this.#state = { kind: "idle" };
      return;
    }
    const timer = setTimeout(() => this.#connect(), this.#nextDelayMs());
    this.#state = { kind: "waiting", timer };
  }

  #nextDelayMs(): number {
    const { reconnectDelayMsMin, reconnectDelayMsMax } = rpcLimits;
    const attempt = this.#attempts++;
    return attempt === 0 ? 0 : backoffMs(attempt - 1, reconnectDelayMsMin, reconnectDelayMsMax);
  }

  #cancel(call: PendingCall): void {
    const message = `cancelled without an answer from ${this.name}, ${this.#whyNone()}`;
    call.abandon({ kind: "cancelled" }, message, call.request.signal?.reason);
    this.#forget(call);
    this.#pump();
  }

  /** The caller has its answer. */
  readonly #settled = (call: PendingCall): void => this.#signals.remove(call.request.signal, call);

  /** Ends the calls whose deadline has passed. @returns the next deadline */
  #expire(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const call of [...this.#inFlight.values(), ...this.#queue]) {
      if (call.settled) continue;
      if (call.request.deadlineMs > nowMs) nextMs = Math.min(nextMs, call.request.deadlineMs);
      else this.#timeOut(call);
    }
    this.#pump();
    return nextMs;
  }

  #timeOut(call: PendingCall): void {
    const message = `no answer from ${this.name} in time, ${this.#whyNone()}`;
    const cause = this.#state.kind === "open" ? undefined : this.#lostBecause;
    call.abandon({ kind: "timeout" }, message, cause);
    this.#forget(call);
  }

  #whyNone(): string {
    if (this.#state.kind === "open") return "the server is silent";
    const cause = this.#lostBecause;
    return `there is no connection${cause instanceof RpcError ? `: ${cause.message}` : ""}`;
  }

  /** The caller has gone. A place at the server that stays taken keeps the call; the queue skips it later. */
  #forget(call: PendingCall): void {
    if (call.request.onLateEnd === undefined) this.#remove(call);
  }

  /** Nothing on the wire is about it any more. */
  #remove(call: PendingCall): void {
    if (call.xid === undefined || !this.#inFlight.delete(call.xid)) return;
    call.record?.segment.release();
    call.record = undefined;
  }

  #skipSettled(): void {
    this.#queue = this.#queue.filter((call) => !call.settled);
  }
}

/** With RST, which leaves no TIME_WAIT behind: the local port can be used again at once. */
function reset(socket: Socket): void {
  socket.removeAllListeners();
  socket.on("error", () => {});
  if ("encrypted" in socket) socket.destroy();
  else socket.resetAndDestroy();
}
