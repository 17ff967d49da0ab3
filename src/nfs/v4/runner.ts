import { randomBytes } from "node:crypto";
import type { RpcConnection } from "../../rpc/connection.ts";
import { monotonicMs } from "../../rpc/deadline-timer.ts";
import { within } from "../../rpc/pause.ts";
import { RpcError } from "../../rpc/rpc-error.ts";
import { callError, doubtfulError, statusError } from "../diagnosis.ts";
import { nfsLimits } from "../limits.ts";
import type { Outcome } from "../nfs-error.ts";
import type { Request } from "../request.ts";
import { status } from "../status.ts";
import { waitOut } from "../wait-out.ts";
import type { CompoundFailure, CompoundReply, MinorVersion } from "./compound.ts";
import { putrootfh } from "./filehandle.ts";
import type { Operation, ResultsOf } from "./operation.ts";
import type { Session } from "./session.ts";
import { SessionLost } from "./session-lost.ts";
import { leaseSeconds } from "./session-operations.ts";
import { type LiveSession, setUpSession, tearDownSession } from "./session-setup.ts";

type Operations = readonly Operation<unknown>[];

type State =
  | { readonly kind: "live"; readonly live: LiveSession }
  | { readonly kind: "recovering"; readonly done: Promise<LiveSession> }
  | { readonly kind: "closed" };

/**
 * Runs compounds, whatever happens to the session: a lost one is made anew and what is safe to repeat
 * is repeated; DELAY and GRACE are waited for; all within the request's deadline.
 */
export class CompoundRunner {
  readonly #connection: RpcConnection;
  readonly #minor: MinorVersion;
  /** For what keeps the session: always the same principal, or the server calls it another client. */
  readonly #own: Request;
  readonly #owner = { verifier: randomBytes(8), id: Buffer.from(`berth-${randomBytes(16).toString("hex")}`) };
  readonly #timeoutMs: number;
  #state: State;
  #renewal: NodeJS.Timeout | undefined;

  private constructor(connection: RpcConnection, minor: MinorVersion, own: Request, timeoutMs: number) {
    this.#connection = connection;
    this.#minor = minor;
    this.#own = own;
    this.#timeoutMs = timeoutMs;
    this.#state = { kind: "closed" };
  }

  /** @throws NfsError, with status MINOR_VERS_MISMATCH where the server lacks this minor version */
  static async open(
    connection: RpcConnection,
    minor: MinorVersion,
    own: Request,
    timeoutMs: number,
  ): Promise<CompoundRunner> {
    const runner = new CompoundRunner(connection, minor, own, timeoutMs);
    const live = await runner.#setUp(own);
    runner.#state = { kind: "live", live };
    await runner.#keepLease();
    return runner;
  }

  /** What the server granted. */
  get limits(): Session["limits"] {
    return this.#limits;
  }
  #limits: Session["limits"] = {
    requestBytesMax: 0,
    responseBytesMax: 0,
    cachedBytesMax: 0,
    operationsMax: 0,
    slots: 0,
  };

  /** How many operations fit behind SEQUENCE. */
  get operationsMax(): number {
    return this.#limits.operationsMax - 1;
  }

  /** OPEN wants it. It may change with the session; the server then says so, and the request is made again. */
  get clientId(): bigint {
    return this.#clientId;
  }
  #clientId = 0n;

  /** All results, or an NfsError for the operation that failed. */
  async run<const Ops extends Operations>(operations: Ops, request: Request): Promise<ResultsOf<Ops>> {
    const reply = await this.attempt(operations, request);
    if (reply.status === "ok") return reply.results;
    throw this.failure(operations, reply, request);
  }

  /** As `run` of both, for the results of the latter only: `way` is of any length. */
  async runAfter<const Ops extends Operations>(
    way: readonly Operation<void>[],
    operations: Ops,
    request: Request,
  ): Promise<ResultsOf<Ops>> {
    const results: readonly unknown[] = await this.run([...way, ...operations], request);
    return results.slice(way.length) as ResultsOf<Ops>; // in the order of the operations
  }

  /** The error for an operation that failed. */
  failure(
    operations: Operations,
    { code, index }: Pick<CompoundFailure, "code" | "index">,
    request: Request,
  ): Error {
    const outcome: Outcome = hasChanged(operations, index) ? "done" : "not-done";
    const operation = operations[index]?.name ?? "SEQUENCE";
    return statusError({ ...request.site, operation }, code, outcome);
  }

  /** As `run`, with a failing operation as a value. @throws NfsError for what no operation answered */
  async attempt<const Ops extends Operations>(
    operations: Ops,
    request: Request,
  ): Promise<CompoundReply<Ops>> {
    try {
      for (let attempt = 0; ; attempt++) {
        const { session } =
          this.#state.kind === "live" ? this.#state.live : await this.#waitForSession(request);
        try {
          const reply = await session.call(operations, request);
          if (reply.status === "ok" || !isPassing(reply.code)) return reply;
          if (!(await this.#waitOut(operations, reply, request, attempt))) return reply;
        } catch (error) {
          this.#recover(session, operations, request, error, attempt);
        }
      }
    } catch (error) {
      const operation = operations.at(-1)?.name ?? "SEQUENCE";
      throw callError({ ...request.site, operation }, error, !isOnce(operations));
    }
  }

  /** Has a lost session made anew. @throws what was caught, unless the operations may be tried again with it */
  #recover(
    session: Session,
    operations: Operations,
    request: Request,
    error: unknown,
    attempt: number,
  ): void {
    if (!(error instanceof SessionLost)) throw error;
    this.#forget(session, error);
    if ((error.doubtful && isOnce(operations)) || attempt >= nfsLimits.recoveriesMax)
      throw this.#doubt(operations, request, error);
  }

  /**
   * DELAY, GRACE: later. RETRY_UNCACHED_REP: the server did it and kept no answer.
   * @returns whether the operations may be tried again
   */
  async #waitOut(
    operations: Operations,
    reply: CompoundFailure,
    request: Request,
    attempt: number,
  ): Promise<boolean> {
    if (hasChanged(operations, reply.index)) return false;
    if (reply.code !== status.retryUncachedRep) return await waitOut(attempt, request);
    if (isOnce(operations)) throw this.#doubt(operations, request, new Error("the server kept no answer"));
    return monotonicMs() < request.deadlineMs;
  }

  #doubt(operations: Operations, request: Request, error: Error): Error {
    const operation = operations.find(({ once }) => once === true)?.name ?? "SEQUENCE";
    return doubtfulError({ ...request.site, operation }, error.message);
  }

  async #waitForSession(request: Request): Promise<LiveSession> {
    if (this.#state.kind === "live") return this.#state.live;
    if (this.#state.kind === "closed") throw new RpcError({ kind: "closed" }, "the client was closed");
    return await within(this.#state.done, request);
  }

  /** Begins to make a new session, once for all that lost the old one. */
  #forget(session: Session, reason: SessionLost): void {
    if (this.#state.kind !== "live" || this.#state.live.session !== session) return;
    session.end(reason);
    const request = { ...this.#own, signal: undefined, deadlineMs: monotonicMs() + this.#timeoutMs };
    const done = this.#setUp(request);
    const state: State = { kind: "recovering", done };
    const old = this.#state.live;
    this.#state = state;
    done.then(
      (live) => {
        if (this.#state === state) this.#state = { kind: "live", live };
      },
      () => {
        // whoever waits got the error; the next request finds the old session lost and begins again
        if (this.#state === state) this.#state = { kind: "live", live: old };
      },
    );
  }

  async #setUp(request: Request): Promise<LiveSession> {
    const { site } = request;
    try {
      const result = await setUpSession(this.#connection, this.#minor, this.#owner, request);
      if (result.status === "error")
        throw statusError({ ...site, operation: result.operation }, result.code, "not-done");
      this.#limits = result.live.session.limits;
      this.#clientId = result.live.clientId;
      return result.live;
    } catch (error) {
      throw callError({ ...site, operation: "EXCHANGE_ID" }, error, true);
    }
  }

  /** SEQUENCE at a third of the lease (RFC 8881 §8.3), unless something else was called meanwhile. */
  async #keepLease(): Promise<void> {
    const [, seconds] = await this.run([putrootfh, leaseSeconds], this.#own);
    const leaseMs = seconds > 0 ? Math.min(seconds * 1000, nfsLimits.leaseMsMax) : nfsLimits.leaseMsDefault;
    this.#renewal = setInterval(() => this.#renew(leaseMs), leaseMs / 3);
    this.#renewal.unref();
  }

  #renew(leaseMs: number): void {
    if (this.#state.kind !== "live") return;
    const nowMs = monotonicMs();
    if (nowMs - this.#state.live.session.usedMs < leaseMs / 3) return;
    const request = { ...this.#own, signal: undefined, deadlineMs: nowMs + leaseMs };
    this.attempt([], request).catch(() => {}); // the next request finds out what is the matter
  }

  /** Ends the session at the server, if it answers soon. */
  async close(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: "closed" };
    clearInterval(this.#renewal);
    if (state.kind !== "live") return;
    const context = { ...this.#own, signal: undefined, deadlineMs: monotonicMs() + closeMsMax };
    await tearDownSession(this.#connection, this.#minor, state.live, context).catch(() => {});
    state.live.session.end(new SessionLost("the client was closed", false));
  }
}

const closeMsMax = 1000;

function isPassing(code: number): boolean {
  return code === status.delay || code === status.grace || code === status.retryUncachedRep;
}

function isOnce(operations: Operations): boolean {
  return operations.some(({ once }) => once === true);
}

/** Whether something that must not be done twice was done before the operation `index`. */
function hasChanged(operations: Operations, index: number): boolean {
  return isOnce(operations.slice(0, index));
}
