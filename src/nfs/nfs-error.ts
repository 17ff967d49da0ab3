import { BerthError, type ErrorCode } from "../core/errors.ts";

/** What is known of a request that failed. */
export type Outcome = "not-done" | "done" | "unknown";

/** Why users meet a refusal: each has its own sentence with a remedy (see `diagnosis.ts`). */
export type Diagnosis =
  | "secure-port"
  | "root-squash"
  | "not-exported"
  | "no-such-export"
  | "wrong-version"
  | "kerberos"
  | "stale"
  | "grace"
  | "no-space"
  | "quota"
  | "read-only"
  | "refused"
  | "unresolved"
  | "unreachable"
  | "timeout"
  | "cancelled"
  | "disconnected"
  | "closed"
  | "tls"
  | "malformed"
  | "overload"
  | "reserved-port-denied"
  | "none";

export interface NfsErrorFields {
  /** `host:/path` of the export. */
  readonly server: string;
  /** The procedure or operation, as its RFC writes it: "LOOKUP". */
  readonly operation: string;
  /** What it was about, where the caller named it. */
  readonly path?: string | undefined;
  /** As its RFC has it, without prefix: "NOENT". Absent when the server did not answer the operation. */
  readonly status?: string | undefined;
  readonly diagnosis: Diagnosis;
  readonly outcome: Outcome;
}

/** Every failure of an NFS client: what was asked of whom, what came back, and what helps. */
export class NfsError extends BerthError implements NfsErrorFields {
  readonly server: string;
  readonly operation: string;
  readonly path: string | undefined;
  readonly status: string | undefined;
  readonly diagnosis: Diagnosis;
  readonly outcome: Outcome;

  constructor(code: ErrorCode, message: string, fields: NfsErrorFields, options?: { cause?: unknown }) {
    super(code, message, options);
    this.server = fields.server;
    this.operation = fields.operation;
    this.path = fields.path;
    this.status = fields.status;
    this.diagnosis = fields.diagnosis;
    this.outcome = fields.outcome;
  }
}

/** The same error where it is known that an earlier step of the work was done. */
export function afterChange(reason: unknown): unknown {
  if (!(reason instanceof NfsError)) return reason;
  return new NfsError(reason.code, reason.message, { ...reason, outcome: "done" }, { cause: reason });
}
