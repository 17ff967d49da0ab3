import type { handleServerStreamingCall, handleUnaryCall, MethodDefinition, Server } from "@grpc/grpc-js";
import { BerthError } from "../core/errors.ts";
import type { Calls, Outcome } from "./calls.ts";
import type { Method, Service } from "./service.ts";

/**
 * Registers every method of a service with grpc-js. Bytes pass through unread: `Calls` decodes them,
 * so that a request that is no message is an outcome like any other.
 */
export function addService(server: Server, service: Service, calls: Calls): void {
  for (const method of service.methods) {
    server.addService(
      { [method.name]: methodDefinition(method) },
      {
        [method.name]:
          method.descriptor.methodKind === "unary" ? unary(method, calls) : streaming(method, calls),
      },
    );
  }
}

function methodDefinition({ path, descriptor }: Method): MethodDefinition<Buffer, Buffer> {
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    path,
    requestStream: descriptor.methodKind === "client_streaming" || descriptor.methodKind === "bidi_streaming",
    responseStream:
      descriptor.methodKind === "server_streaming" || descriptor.methodKind === "bidi_streaming",
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

function unary(method: Method, calls: Calls): handleUnaryCall<Buffer, Buffer> {
  return (call, respond) => {
    void outcomeOf(call, method, calls).then((outcome) => {
      if (outcome.status === "ok") respond(null, asBuffer(outcome.response));
      else respond(outcome);
    });
  };
}

/** CSI's streams are those of SnapshotMetadata, which is not offered: they only ever fail. */
function streaming(method: Method, calls: Calls): handleServerStreamingCall<Buffer, Buffer> {
  return (call) => {
    void outcomeOf(call, method, calls).then((outcome) => {
      if (outcome.status === "error") call.emit("error", outcome);
    });
  };
}

type Caller =
  | Parameters<handleUnaryCall<Buffer, Buffer>>[0]
  | Parameters<handleServerStreamingCall<Buffer, Buffer>>[0];

/** Timers may fire this much before their time. */
const timerSlackMs = 5;

/** Runs a call; its signal fires when grpc-js says "cancelled", which it does for a deadline too. */
async function outcomeOf(call: Caller, method: Method, calls: Calls): Promise<Outcome> {
  const controller = new AbortController();
  const onCancelled = () => controller.abort(reasonOf(call));
  if (call.cancelled) onCancelled();
  else call.on("cancelled", onCancelled);
  try {
    return await calls.run(method, call.request, controller, deadlineMsOf(call));
  } finally {
    call.off("cancelled", onCancelled); // grpc-js says it after every answer as well
  }
}

/** On the clock of `performance.now()`. */
function deadlineMsOf(call: Caller): number {
  return performance.now() + Number(call.getDeadline()) - Date.now();
}

function reasonOf(call: Caller): BerthError {
  return Number(call.getDeadline()) <= Date.now() + timerSlackMs
    ? new BerthError("deadline-exceeded", "the caller's deadline has passed")
    : new BerthError("cancelled", "the caller has gone");
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
