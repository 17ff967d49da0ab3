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

/** After a definite failure nothing must be left, so that the caller may forget the volume; else it must not. */
export async function settled(reason: unknown, undo: () => Promise<void>): Promise<unknown> {
  if (!(reason instanceof BerthError)) return reason;
  const code = Object.entries(definite).find(([storage]) => storage === reason.code)?.[1];
  if (code === undefined) return reason;
  try {
    await undo();
  } catch {
    return reason; // non-final: a retry, or the reaper, removes the rest
  }
  return new BerthError(code, reason.message, { cause: reason });
}
