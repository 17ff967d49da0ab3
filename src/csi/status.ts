import { status } from "@grpc/grpc-js";
import type { Effects } from "../core/call.ts";
import { type BerthError, type ErrorCode, isStorageCode, isUnforeseen } from "../core/errors.ts";
import { edgeLimits } from "./edge-limits.ts";
import { printable } from "./printable.ts";

/**
 * The gRPC status of every code. A domain code is what its operation decided. A storage code stands
 * here for a call that has changed nothing: its status tells what is wrong, and may be final.
 */
export const statusOfCode: Readonly<Record<ErrorCode, status>> = {
  aborted: status.ABORTED,
  "already-exists": status.ALREADY_EXISTS,
  cancelled: status.CANCELLED,
  "deadline-exceeded": status.DEADLINE_EXCEEDED,
  "failed-precondition": status.FAILED_PRECONDITION,
  internal: status.INTERNAL,
  "invalid-argument": status.INVALID_ARGUMENT,
  "not-found": status.NOT_FOUND,
  "out-of-range": status.OUT_OF_RANGE,
  "permission-denied": status.PERMISSION_DENIED,
  "resource-exhausted": status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  unimplemented: status.UNIMPLEMENTED,

  "storage-access": status.PERMISSION_DENIED,
  "storage-busy": status.UNAVAILABLE,
  // Not ALREADY_EXISTS or NOT_FOUND: CSI means the volume by them, and this may be any file.
  "storage-exists": status.FAILED_PRECONDITION,
  "storage-io": status.UNAVAILABLE,
  "storage-name-too-long": status.INVALID_ARGUMENT,
  "storage-no-entry": status.FAILED_PRECONDITION,
  "storage-no-space": status.RESOURCE_EXHAUSTED,
  "storage-not-a-directory": status.FAILED_PRECONDITION,
  "storage-not-empty": status.FAILED_PRECONDITION,
  "storage-quota": status.RESOURCE_EXHAUSTED,
  "storage-read-only": status.FAILED_PRECONDITION,
  "storage-stale": status.UNAVAILABLE,
  "storage-too-large": status.FAILED_PRECONDITION,
  "storage-unavailable": status.UNAVAILABLE,
  "storage-unsupported": status.FAILED_PRECONDITION,
};

/** What a failed call answers. `details` is CSI's and gRPC's name for the message. */
export interface Status {
  readonly code: status;
  readonly details: string;
}

/**
 * The status of a failed call. Once the call has begun to change things, only a domain code is
 * trusted to speak for the whole of it: anything else becomes UNAVAILABLE, which is not final, so
 * that the caller comes again and does not forget the volume (CSI spec, "error scheme").
 */
export function statusOf(error: BerthError, effects: Effects): Status {
  const unsure = isStorageCode(error.code) || error.code === "internal";
  const logged = isUnforeseen(error) ? "; the driver's log has the details" : "";
  return {
    code: effects.begun && unsure ? status.UNAVAILABLE : statusOfCode[error.code],
    details: printable(error.message + logged, edgeLimits.statusMessageBytesMax),
  };
}

/** `UNAVAILABLE`: how logs name a status. */
export function statusName(code: status): string {
  return status[code];
}
