import { BerthError, type DomainCode, type StorageCode } from "../core/errors.ts";

/** Storage errors that say that the step had no effect, and what they mean once all before it is undone. */
const definite: Partial<Record<StorageCode, DomainCode>> = {
  "storage-access": "permission-denied",
  "storage-name-too-long": "invalid-argument",
  "storage-no-space": "resource-exhausted",
  "storage-not-a-directory": "failed-precondition",
  "storage-quota": "resource-exhausted",
  "storage-read-only": "failed-precondition",
  "storage-unsupported": "failed-precondition",
};

/**
 * After a definite failure nothing must be left, so that the caller may forget the volume; else it must not.
 * A `failed-precondition` is one too: a file that cannot be read stays so until somebody acts.
 */
export async function settled(reason: unknown, undo: () => Promise<void>): Promise<unknown> {
  if (!(reason instanceof BerthError)) return reason;
  const isRefused = reason.code === "failed-precondition";
  const code = isRefused ? reason.code : definiteCodeOf(reason);
  if (code === undefined) return reason;
  try {
    await undo();
  } catch {
    return comeAgain(reason); // non-final: a retry, or the reaper, removes the rest
  }
  return new BerthError(code, reason.message, { cause: reason });
}

/** What cannot be decided as long as something is left that the caller must not forget: never a final code. */
export function comeAgain(reason: unknown): unknown {
  if (!(reason instanceof BerthError) || reason.code !== "failed-precondition") return reason;
  return new BerthError("unavailable", reason.message, { cause: reason });
}

function definiteCodeOf(reason: BerthError): DomainCode | undefined {
  return Object.entries(definite).find(([storage]) => storage === reason.code)?.[1];
}
