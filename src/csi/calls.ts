import { create, type DescMethod, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { Effects } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { BerthError, hasCode } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import { logCall } from "./call-log.ts";
import { checkRequest } from "./checks.ts";
import type { Method } from "./service.ts";
import { type Status, statusOf } from "./status.ts";

/** How a call ended: the response's bytes, or its status. */
export type Outcome =
  | { readonly status: "ok"; readonly response: Uint8Array }
  | ({ readonly status: "error" } & Status);

export interface CallsOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Names the driver in messages. */
  readonly driverName: string;
  readonly inFlightMax?: number;
}

/** Every call in flight: runs its handler, turns whatever comes of it into an outcome, and logs it. */
export class Calls {
  readonly #options: CallsOptions;
  readonly #running = new Set<AbortController>();
  #state: "open" | "closed" = "open";
  #whenIdle: (() => void) | undefined;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#running.size;
  }

  /** Refuses all further calls, with UNAVAILABLE. */
  close(): void {
    this.#state = "closed";
  }

  /** Tells every call in flight to give up. */
  abort(reason: BerthError): void {
    for (const controller of this.#running) controller.abort(reason);
  }

  /** Resolves when no call is in flight. There is one waiter at most: the drain. */
  async idle(): Promise<void> {
    if (this.#running.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenIdle = resolve;
    await promise;
  }

  /**
   * One call, from the request's bytes to an outcome; never rejects.
   * @param controller of the call's signal: aborted with a `BerthError` when the caller has gone
   * @param deadlineMs when it will have, on the clock of `performance.now()`
   */
  async run(
    method: Method,
    request: Uint8Array,
    controller: AbortController,
    deadlineMs = Number.POSITIVE_INFINITY,
  ): Promise<Outcome> {
    const { log, clock } = this.#options;
    const startedMs = clock.nowMs();
    const effects = new Effects();
    const seen: Exchange = {};
    this.#running.add(controller);
    let outcome: Outcome;
    let error: BerthError | undefined;
    try {
      this.#admit(method);
      const call = { signal: controller.signal, deadlineMs, effects, log };
      const response = await this.#handle(method, request, call, seen);
      outcome = { status: "ok", response };
    } catch (reason) {
      error = errorOf(reason, controller.signal);
      outcome = { status: "error", ...statusOf(error, effects) };
    } finally {
      this.#running.delete(controller);
      if (this.#running.size === 0) this.#whenIdle?.();
    }
    const code = outcome.status === "ok" ? status.OK : outcome.code;
    logCall(log, { method, ...seen, code, durationMs: clock.nowMs() - startedMs, ...(error && { error }) });
    return outcome;
  }

  /** @throws BerthError `unavailable`: the caller comes again, here or to our successor */
  #admit(method: Method): void {
    const max = this.#options.inFlightMax ?? limits.callsInFlightMax;
    if (this.#state === "closed") {
      throw new BerthError("unavailable", `${method.name}: the driver is shutting down; retry`);
    }
    if (this.#running.size > max) {
      throw new BerthError("unavailable", `${method.name}: ${max} calls are in flight already; retry later`);
    }
  }

  async #handle(
    method: Method,
    bytes: Uint8Array,
    call: Parameters<AnyCall>[1],
    seen: Exchange,
  ): Promise<Uint8Array> {
    const { name, handler, descriptor } = method;
    if (handler === undefined) {
      throw new BerthError("unimplemented", `${this.#options.driverName} does not offer ${name}`);
    }
    const request = decode(descriptor, bytes);
    seen.request = request;
    checkRequest(descriptor.input, request);
    call.signal.throwIfAborted();
    const response = create(descriptor.output, await handler(request, call));
    seen.response = response;
    return toBinary(descriptor.output, response);
  }
}

type AnyCall = NonNullable<Method["handler"]>;

/** What a call's log line may look into. */
interface Exchange {
  request?: Message;
  response?: Message;
}

function decode({ name, input }: DescMethod, bytes: Uint8Array): Message {
  try {
    return fromBinary(input, bytes);
  } catch (cause) {
    const message = `${name}: the request is no valid ${input.typeName}; the caller must speak CSI v1`;
    throw new BerthError("invalid-argument", message, { cause });
  }
}

/** What ended a call: where its signal did, the signal's reason says it better than the wreckage. */
function errorOf(reason: unknown, signal: AbortSignal): BerthError {
  const error = BerthError.from(reason);
  return signal.aborted && hasCode(error, "cancelled") ? BerthError.from(signal.reason) : error;
}
