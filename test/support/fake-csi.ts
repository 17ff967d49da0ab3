import { subscribe, unsubscribe } from "node:diagnostics_channel";
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
import { Controller, Identity, Node } from "../../src/gen/csi/v1/csi_pb.ts";
import type { Code } from "../../src/lab/csi-client.ts";

/** A response in the JSON form of its message, or a status. */
export type Answer = { readonly response: JsonObject } | { readonly code: Code; readonly message: string };

export interface FakeCall {
  readonly rpc: string;
  /** In the JSON form of its message. */
  readonly request: JsonValue;
}

export interface FakeCsi {
  readonly endpoint: string;
  /** In the order of their coming; a test may take them out. */
  readonly calls: FakeCall[];
  /** How many connections the process's servers have taken: Unix peers have no name to tell them apart by. */
  readonly connections: () => number;
  close(): void;
}

/** A CSI driver that does nothing but record, and answer as it is told to, on a real socket. */
export async function serveFakeCsi(
  socketPath: string,
  answer: (call: FakeCall) => Answer | Promise<Answer>,
): Promise<FakeCsi> {
  const calls: FakeCall[] = [];
  let connections = 0;
  const count = () => {
    connections += 1;
  };
  subscribe("net.server.socket", count);
  const server = new Server();
  const services: readonly DescService[] = [Identity, Controller, Node];
  for (const method of services.flatMap((service) => service.methods)) {
    const handle: handleUnaryCall<Buffer, Buffer> = async (call, respond) => {
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
  const close = () => {
    unsubscribe("net.server.socket", count);
    server.forceShutdown();
  };
  return { endpoint, calls, connections: () => connections, close };
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
