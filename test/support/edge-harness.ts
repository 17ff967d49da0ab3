/** A driver's edge on a Unix socket of its own, and a client of it. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, type ClientUnaryCall, credentials, Metadata, status } from "@grpc/grpc-js";
import type { Call } from "../../src/core/call.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { Log, LogFields } from "../../src/core/log.ts";
import { parseEndpoint, printEndpoint } from "../../src/csi/endpoint.ts";
import { CsiServer, type CsiServerOptions } from "../../src/csi/server.ts";
import type { Implementation } from "../../src/csi/service.ts";
import { type CsiImplementations, csiServices } from "../../src/csi/services.ts";
import type { Identity } from "../../src/gen/csi/v1/csi_pb.ts";
import { scratchDirectory } from "../../tools/scratch.ts";

export interface LogLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: LogFields;
}

export class RecordedLog implements Log {
  readonly lines: LogLine[] = [];
  debug = this.#recorder("debug");
  info = this.#recorder("info");
  warn = this.#recorder("warn");
  error = this.#recorder("error");

  #recorder(level: keyof Log) {
    return (message: string, fields: LogFields = {}) => {
      this.lines.push({ level, message, fields });
    };
  }

  /** Every word of it: what a secret must not be found in. */
  get text(): string {
    return JSON.stringify(this.lines, (_key, value: unknown) =>
      value instanceof Error
        ? { message: value.message, stack: value.stack, cause: value.cause }
        : typeof value === "bigint"
          ? `${value}`
          : value,
    );
  }
}

/** How a call ended: its response, or the name of its status. */
export type Answer<T> =
  | { readonly code: "OK"; readonly response: T }
  | { readonly code: string; readonly details: string; readonly response?: undefined };

export interface CallOptions {
  readonly timeoutMs?: number;
  /** Gets the call, to cancel it. */
  readonly onCall?: (call: ClientUnaryCall) => void;
}

export class EdgeClient {
  readonly #client: Client;

  constructor(endpoint: string, authority = "localhost") {
    this.#client = new Client(endpoint, credentials.createInsecure(), {
      "grpc.default_authority": authority,
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<Answer<MessageShape<O>>> {
    return this.callWithBytes(method, toBinary(method.input, create(method.input, request)), options);
  }

  /** Any bytes as a request. */
  callWithBytes<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: Uint8Array,
    { timeoutMs = 10_000, onCall }: CallOptions = {},
  ): Promise<Answer<MessageShape<O>>> {
    const { promise, resolve } = Promise.withResolvers<Answer<MessageShape<O>>>();
    const call = this.#client.makeUnaryRequest(
      `/${method.parent.typeName}/${method.name}`,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      request,
      new Metadata(),
      { deadline: Date.now() + timeoutMs },
      (error, response) =>
        resolve(
          response === undefined
            ? { code: status[error?.code ?? status.UNKNOWN], details: error?.details ?? "" }
            : { code: "OK", response },
        ),
    );
    onCall?.(call);
    return promise;
  }

  close(): void {
    this.#client.close();
  }
}

export interface Edge {
  readonly server: CsiServer;
  readonly client: EdgeClient;
  readonly log: RecordedLog;
  readonly socketPath: string;
}

/** What ends what was started: a test, or whoever stands for several. */
export interface Lifetime {
  after(work: () => unknown): void;
}

/** Serves until the test ends. */
export async function startEdge(
  t: Lifetime,
  implementations: CsiImplementations,
  options: Partial<CsiServerOptions> = {},
): Promise<Edge> {
  const log = new RecordedLog();
  const socketPath = join(temporaryDirectory(t), "csi.sock");
  const server = await CsiServer.start({
    endpoint: parseEndpoint(`unix://${socketPath}`),
    services: csiServices(implementations),
    driverName: "csi.berth.test",
    log,
    clock: systemClock,
    drainMsMax: 100,
    ...options,
  });
  const client = new EdgeClient(printEndpoint(server.endpoint).replace(/^tcp:\/\//, ""));
  t.after(async () => {
    client.close();
    await server.drain("the test's end");
  });
  return { server, client, log, socketPath };
}

export function temporaryDirectory(t: Lifetime): string {
  const directory = scratchDirectory("edge");
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export const ready: Implementation<typeof Identity> = {
  async probe() {
    return { ready: true };
  },
};

/** A handler that runs until it is aborted, and says so. */
export function hanging() {
  const started = Promise.withResolvers<Call>();
  const aborted = Promise.withResolvers<unknown>();
  const implementation: Implementation<typeof Identity> = {
    async probe(_request, call) {
      started.resolve(call);
      const { promise, reject } = Promise.withResolvers<never>();
      call.signal.addEventListener("abort", () => reject(call.signal.reason));
      return await promise.catch((reason: unknown) => {
        aborted.resolve(reason);
        throw reason;
      });
    },
  };
  return { implementation, started: started.promise, aborted: aborted.promise };
}
