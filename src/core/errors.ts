/**
 * What the domain decides. Each maps to the gRPC status of the same name (`csi/status.ts`);
 * whoever throws one has made sure that it is true of the whole operation.
 */
export const domainCodes = [
  "aborted",
  "already-exists",
  "cancelled",
  "deadline-exceeded",
  "failed-precondition",
  "internal",
  "invalid-argument",
  "not-found",
  "out-of-range",
  "permission-denied",
  "resource-exhausted",
  "unavailable",
  "unimplemented",
] as const;

/**
 * What a file system or server said of one step. None says what became of the whole operation:
 * after its first side effect such an error leaves Berth only under a non-final status.
 */
export const storageCodes = [
  "storage-access",
  "storage-busy",
  "storage-exists",
  "storage-io",
  "storage-name-too-long",
  "storage-no-entry",
  "storage-no-space",
  "storage-not-a-directory",
  "storage-not-empty",
  "storage-quota",
  "storage-read-only",
  "storage-stale",
  "storage-too-large",
  "storage-unavailable",
  "storage-unsupported",
] as const;

export type DomainCode = (typeof domainCodes)[number];
export type StorageCode = (typeof storageCodes)[number];
export type ErrorCode = DomainCode | StorageCode;

const unforeseen = "an unexpected error";

/** The one error class. Its message names the thing, the cause and the remedy; it is shown to users. */
export class BerthError extends Error {
  override readonly name = "BerthError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /**
   * Any caught value as a `BerthError`; the value is kept as `cause`. What nobody foresaw becomes
   * `internal` with a short message: its own text may hold anything, and is for logs only.
   */
  static from(reason: unknown): BerthError {
    if (reason instanceof BerthError) return reason;
    if (isAbort(reason)) return new BerthError("cancelled", "the call was cancelled", { cause: reason });
    return new BerthError("internal", unforeseen, { cause: reason });
  }
}

/** Whether it is what `BerthError.from` made of something that nobody foresaw: only its cause says what. */
export function isUnforeseen({ code, message }: BerthError): boolean {
  return code === "internal" && message === unforeseen;
}

/** True for a `BerthError` with one of these codes. */
export function hasCode(reason: unknown, ...codes: ErrorCode[]): reason is BerthError {
  return reason instanceof BerthError && codes.includes(reason.code);
}

export function isStorageCode(code: ErrorCode): code is StorageCode {
  return code.startsWith("storage-");
}

function isAbort(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "AbortError";
}

/** For what is an answer more often than a surprise (a missing file): a stack that nobody reads costs more than the look. */
export function withoutStack<T>(make: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
