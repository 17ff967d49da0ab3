import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Clock } from "../core/clock.ts";
import { BerthError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { Log } from "../core/log.ts";
import { Calls } from "./calls.ts";
import { edgeLimits } from "./edge-limits.ts";
import { type Endpoint, printEndpoint } from "./endpoint.ts";
import { addService } from "./grpc-service.ts";
import { Listener } from "./listener.ts";
import type { Service } from "./service.ts";

export interface CsiServerOptions {
  readonly endpoint: Endpoint;
  readonly services: readonly Service[];
  /** Names the driver in messages. */
  readonly driverName: string;
  readonly log: Log;
  readonly clock: Clock;
  /** How long calls in flight may go on after `drain`; default `limits.drainMsMax`. */
  readonly drainMsMax?: number;
  readonly inFlightMax?: number;
}

/** gRPC on one endpoint, from `start` to `drain`. */
export class CsiServer {
  /** Where it listens; the port is the real one. */
  readonly endpoint: Endpoint;
  readonly #options: CsiServerOptions;
  readonly #calls: Calls;
  readonly #grpc: Server;
  readonly #listener: Listener;
  #drained: Promise<void> | undefined;

  private constructor(options: CsiServerOptions, endpoint: Endpoint, parts: Parts) {
    this.#options = options;
    this.endpoint = endpoint;
    this.#calls = parts.calls;
    this.#grpc = parts.grpc;
    this.#listener = parts.listener;
  }

  /** @throws BerthError `failed-precondition` when the endpoint cannot be listened on */
  static async start(options: CsiServerOptions): Promise<CsiServer> {
    const calls = new Calls(options);
    const grpc = new Server(grpcOptions);
    for (const service of options.services) addService(grpc, service, calls);
    const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
    const listener = new Listener(edgeLimits.connectionsMax, (socket) => injector.injectConnection(socket));
    const endpoint = await listener.listen(options.endpoint);
    options.log.info(`listening on ${printEndpoint(endpoint)}`);
    return new CsiServer(options, endpoint, { calls, grpc, listener });
  }

  get callsInFlight(): number {
    return this.#calls.inFlight;
  }

  /**
   * Accepts no more, lets calls in flight end, aborts those that take longer than `drainMsMax`, and
   * closes every connection. Resolves in bounded time, whatever handlers and clients do.
   */
  async drain(reason: string): Promise<void> {
    this.#drained ??= this.#drain(reason);
    await this.#drained;
  }

  async #drain(reason: string): Promise<void> {
    const { log, drainMsMax = limits.drainMsMax } = this.#options;
    const disconnected = this.#listener.close();
    this.#calls.close();
    const idle = this.#calls.idle();
    if (!(await this.#within(drainMsMax, idle))) {
      log.warn(`${reason}: aborting the calls that are still running`, { callsInFlight: this.callsInFlight });
      this.#calls.abort(new BerthError("unavailable", "the driver is shutting down; retry"));
      await this.#within(edgeLimits.abortMsMax, idle);
    }
    // The answers are on their way: each connection ends when its streams have. (The callback of
    // `tryShutdown` comes earlier: Node has begun to close the sessions, and grpc-js takes that for done.)
    this.#grpc.tryShutdown(() => {});
    await this.#within(edgeLimits.abortMsMax, disconnected);
    // `forceShutdown` of grpc-js finds no session when channelz is off: the connections are ours to end.
    this.#listener.destroyConnections();
  }

  /** Whether `work` ends within `ms`. */
  async #within(ms: number, work: Promise<void>): Promise<boolean> {
    const stop = new AbortController();
    const late = this.#options.clock.sleep(ms, stop.signal).then(
      () => false,
      () => false,
    );
    try {
      return await Promise.race([work.then(() => true), late]);
    } finally {
      stop.abort();
    }
  }
}

interface Parts {
  readonly calls: Calls;
  readonly grpc: Server;
  readonly listener: Listener;
}

const grpcOptions = {
  "grpc.max_connection_idle_ms": edgeLimits.connectionIdleMsMax,
  // Its records of every connection and call are memory that nobody reads.
  "grpc.enable_channelz": 0,
  "grpc.max_receive_message_length": edgeLimits.requestBytesMax,
  "grpc.max_concurrent_streams": limits.callsInFlightMax,
};
