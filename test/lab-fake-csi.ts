import {
  type DescMethod,
  type DescService,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { type handleUnaryCall, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { Controller, Identity, Node } from "../src/gen/csi/v1/csi_pb.ts";
import type { Code } from "../src/lab/csi-client.ts";

/** A response in the JSON form of its message, or a status. */
export type Answer = { readonly response: JsonObject } | { readonly code: Code; readonly message: string };

export interface FakeCall {
  readonly rpc: string;
  /** In the JSON form of its message. */
  readonly request: JsonValue;
}

export interface FakeCsi {
  readonly endpoint: string;
  /** In the order of their coming. */
  readonly calls: readonly FakeCall[];
  /** How many connections it has seen. */
  readonly connections: () => number;
  close(): void;
}

/** A CSI driver that does nothing but record, and answer as it is told to, on a real socket. */
export async function serveFakeCsi(
  socketPath: string,
  answer: (call: FakeCall) => Answer | Promise<Answer>,
): Promise<FakeCsi> {
  const calls: FakeCall[] = [];
  const sessions = new Set<string>();
  const server = new Server();
  const services: readonly DescService[] = [Identity, Controller, Node];
  for (const method of services.flatMap((service) => service.methods)) {
    const handle: handleUnaryCall<Buffer, Buffer> = async (call, respond) => {
      sessions.add(call.getPeer());
      const request = toJson(method.input, fromBinary(method.input, call.request));
      const recorded = { rpc: method.name, request };
      calls.push(recorded);
      const answered = await answer(recorded);
      if ("code" in answered) respond({ code: status[answered.code], details: answered.message });
      else respond(null, Buffer.from(toBinary(method.output, fromJson(method.output, answered.response))));
    };
    server.addService({ [method.name]: definitionOf(method) }, { [method.name]: handle });
  }
  const endpoint = `unix://${socketPath}`;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.bindAsync(endpoint, ServerCredentials.createInsecure(), (error) =>
    error ? reject(error) : resolve(),
  );
  await promise;
  return { endpoint, calls, connections: () => sessions.size, close: () => server.forceShutdown() };
}

function definitionOf({ parent, name }: DescMethod) {
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    path: `/${parent.typeName}/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}
