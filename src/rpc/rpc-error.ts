import { BerthError, type StorageCode } from "../core/errors.ts";
import type { Rejection } from "./message.ts";

/** Why a call brought no result. */
export type RpcFailure =
  | { readonly kind: "unresolved" }
  | { readonly kind: "refused" }
  | { readonly kind: "unreachable" }
  | { readonly kind: "reserved-port-denied" }
  | { readonly kind: "tls" }
  | { readonly kind: "timeout" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "disconnected" }
  | { readonly kind: "closed" }
  | { readonly kind: "overload" }
  | { readonly kind: "malformed" }
  | { readonly kind: "rejected"; readonly rejection: Rejection };

/** A call that brought no result. `sends` tells how often it was put on a wire: 0 means that nothing was done. */
export class RpcError extends BerthError {
  readonly failure: RpcFailure;
  readonly sends: number;

  constructor(failure: RpcFailure, message: string, options: { cause?: unknown; sends?: number } = {}) {
    super(codeOf(failure), message, options);
    this.failure = failure;
    this.sends = options.sends ?? 0;
  }
}

function codeOf(failure: RpcFailure): StorageCode | "cancelled" {
  switch (failure.kind) {
    case "cancelled":
      return "cancelled";
    case "malformed":
      return "storage-io";
    case "overload":
      return "storage-busy";
    case "rejected":
      return failure.rejection.kind === "auth-error" ? "storage-access" : "storage-unsupported";
    default:
      return "storage-unavailable";
  }
}
