import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";

/** A gRPC status by its name in the specification. */
export type Code = keyof typeof status;

export type CallResult<T> =
  | { readonly status: "ok"; readonly response: T }
  | { readonly status: "error"; readonly code: Code; readonly message: string };

/** A method of CSI with one request and one response. */
export type Method<I extends DescMessage, O extends DescMessage> = DescMethodUnary<I, O>;

/**
 * One gRPC connection to a CSI endpoint, as Kubernetes' clients make it: `:authority` is `localhost`,
 * and no connection is shared with another `CsiConnection` (grpc-js would).
 */
export class CsiConnection {
  readonly #client: Client;

  /** @param endpoint such as `unix:///csi/csi.sock` */
  constructor(endpoint: string) {
    this.#client = new Client(endpoint, credentials.createInsecure(), {
      "grpc.default_authority": "localhost",
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_channelz": 0,
    });
  }

  /** Never rejects: what goes wrong is a status, UNAVAILABLE for a driver that is not there. */
  call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageShape<I>,
    timeoutMs: number,
  ): Promise<CallResult<MessageShape<O>>> {
    const { promise, resolve } = Promise.withResolvers<CallResult<MessageShape<O>>>();
    this.#client.makeUnaryRequest(
      `/${method.parent.typeName}/${method.name}`,
      (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      request,
      new Metadata(),
      { deadline: Date.now() + timeoutMs },
      (error: ServiceError | null, response?: MessageShape<O>) => {
        resolve(response === undefined ? failure(error) : { status: "ok", response });
      },
    );
    return promise;
  }

  close(): void {
    this.#client.close();
  }
}

/** A request from its parts, as the method wants it. */
export function requestOf<I extends DescMessage, O extends DescMessage>(
  method: Method<I, O>,
  parts: MessageInitShape<I>,
): MessageShape<I> {
  return create(method.input, parts);
}

function failure(error: ServiceError | null): Extract<CallResult<unknown>, { status: "error" }> {
  const code = codes.find((name) => status[name] === error?.code) ?? "UNKNOWN";
  return { status: "error", code, message: error?.details ?? "neither an error nor a response" };
}

const codes: readonly Code[] = [
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];
