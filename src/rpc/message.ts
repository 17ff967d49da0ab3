import { XdrError } from "../xdr/xdr-error.ts";
import type { XdrReader } from "../xdr/xdr-reader.ts";
import type { XdrWriter } from "../xdr/xdr-writer.ts";
import { type Credentials, encodeCredentials } from "./auth-sys.ts";
import { rpcLimits } from "./limits.ts";

/** A remote program in one version (RFC 5531 §7.3). */
export interface Program {
  /** How messages name it. */
  readonly name: string;
  readonly number: number;
  readonly version: number;
}

/** Why a server did not run a procedure (RFC 5531 §9 `accept_stat`, `reject_stat`). */
export type Rejection =
  | { readonly kind: "program-unavailable" }
  | { readonly kind: "program-mismatch"; readonly versionMin: number; readonly versionMax: number }
  | { readonly kind: "procedure-unavailable" }
  | { readonly kind: "garbage-arguments" }
  | { readonly kind: "system-error" }
  | { readonly kind: "rpc-mismatch" }
  | { readonly kind: "auth-error"; readonly reason: AuthReason };

/** RFC 5531 §9 `auth_stat`. */
export type AuthReason =
  | "bad-credentials"
  | "rejected-credentials"
  | "bad-verifier"
  | "rejected-verifier"
  | "too-weak"
  | "other";

const call = 0;
const reply = 1;
const rpcVersion = 2;
const authReasons: readonly (AuthReason | undefined)[] = [
  "other",
  "bad-credentials",
  "rejected-credentials",
  "bad-verifier",
  "rejected-verifier",
  "too-weak",
];

/** The header of a call (RFC 5531 §9 `call_body`); its arguments follow. */
export function writeCallHeader(
  writer: XdrWriter,
  xid: number,
  program: Program,
  procedure: number,
  credentials: Credentials,
): void {
  writer.uint32(xid).uint32(call).uint32(rpcVersion);
  writer.uint32(program.number).uint32(program.version).uint32(procedure);
  writer.fixedOpaque(encodeCredentials(credentials));
}

/**
 * The header of a reply behind its xid (RFC 5531 §9 `reply_body`). Leaves the reader at the results
 * when it returns undefined. @throws XdrError
 */
export function readReplyHeader(reader: XdrReader): Rejection | undefined {
  if (reader.uint32() !== reply) throw new XdrError("a message that is no reply");
  return reader.uint32() === 0 ? readAccepted(reader) : readDenied(reader);
}

function readAccepted(reader: XdrReader): Rejection | undefined {
  reader.uint32(); // the verifier's flavour: AUTH_SYS has nothing to verify
  reader.skip((Math.min(reader.uint32(), rpcLimits.authBytesMax + 1) + 3) & ~3);
  const status = reader.uint32();
  switch (status) {
    case 0:
      return undefined;
    case 1:
      return { kind: "program-unavailable" };
    case 2:
      return { kind: "program-mismatch", versionMin: reader.uint32(), versionMax: reader.uint32() };
    case 3:
      return { kind: "procedure-unavailable" };
    case 4:
      return { kind: "garbage-arguments" };
    case 5:
      return { kind: "system-error" };
    default:
      throw new XdrError(`${status} is no accept_stat`);
  }
}

function readDenied(reader: XdrReader): Rejection {
  const status = reader.uint32();
  if (status === 0) return { kind: "rpc-mismatch" };
  return { kind: "auth-error", reason: authReasons[reader.uint32()] ?? "other" };
}

/** What a rejection means, for a message. */
export function describeRejection(rejection: Rejection, program: Program): string {
  const what = `${program.name} version ${program.version}`;
  switch (rejection.kind) {
    case "program-unavailable":
      return `the server does not offer ${program.name} here`;
    case "program-mismatch":
      return `the server does not offer ${what}, only ${rejection.versionMin} to ${rejection.versionMax}`;
    case "procedure-unavailable":
      return `the server's ${what} lacks this procedure`;
    case "garbage-arguments":
      return "the server could not read the arguments";
    case "system-error":
      return "the server had an error of its own (see its log)";
    case "rpc-mismatch":
      return "the server does not speak RPC version 2";
    case "auth-error":
      return `the server refused the AUTH_SYS credentials (${rejection.reason})`;
  }
}
