import type { Message } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import type { BerthError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { Log, LogFields } from "../core/log.ts";
import { printable } from "./printable.ts";
import type { Method } from "./service.ts";
import { statusName } from "./status.ts";

export interface FinishedCall {
  readonly method: Method;
  readonly request?: Message;
  readonly response?: Message;
  readonly code: status;
  readonly durationMs: number;
  readonly error?: BerthError;
}

/**
 * The one line of a call. Of its content only the volume's id, or its name before it has one: secrets
 * and mount flags never reach a log because nothing else does.
 */
export function logCall(log: Log, call: FinishedCall): void {
  const fields: LogFields = {
    method: call.method.name,
    ...volumeFields(call),
    code: statusName(call.code),
    durationMs: call.durationMs,
    ...(call.error && { error: call.error }),
  };
  log[levelOf(call)](`${call.method.name} ${statusName(call.code)}`, fields);
}

/** The liveness probe comes every few seconds, and says something only when it fails. */
function levelOf({ method, code }: FinishedCall): keyof Log {
  if (code === status.OK) return method.name === "Probe" ? "debug" : "info";
  return code === status.INTERNAL ? "error" : "warn";
}

function volumeFields({ request, response }: FinishedCall): LogFields {
  const volumeId = textIn(request, "volumeId") ?? textIn(fieldOf(response, "volume"), "volumeId");
  if (volumeId !== undefined) return { volumeId };
  const volumeName =
    request?.$typeName === "csi.v1.CreateVolumeRequest" ? textIn(request, "name") : undefined;
  return volumeName === undefined ? {} : { volumeName };
}

/** A text of a message, bounded: a request is logged even when it broke every limit. */
function textIn(message: unknown, field: string): string | undefined {
  const value = fieldOf(message, field);
  return typeof value === "string" && value !== "" ? printable(value, limits.csiStringBytesMax) : undefined;
}

function fieldOf(message: unknown, field: string): unknown {
  return typeof message === "object" && message !== null ? Reflect.get(message, field) : undefined;
}
