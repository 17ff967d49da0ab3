import { BerthError, hasCode, isUnforeseen } from "../../core/errors.ts";
import { NfsError } from "../../nfs/index.ts";
import type { Progress } from "./progress.ts";
import { Interrupted, type Work } from "./run.ts";

/** The same failure, with what became of the work that had begun. */
export function withLeft(reason: unknown, left: string): BerthError {
  const error = BerthError.from(reason);
  const details = isUnforeseen(error) ? `: ${String(error.cause)}` : "";
  const message = `${error.message}${details}; ${left}`;
  const options = { cause: reason };
  if (error instanceof NfsError) return new NfsError(error.code, message, error, options);
  return new BerthError(error.code, message, options);
}

/** How a command ends that was cut short: by whoever interrupted it, or by what failed. */
export function cutShort({ signal }: Pick<Work, "signal">, reason: unknown, left: string): BerthError {
  return signal.aborted ? new Interrupted(left, { cause: reason }) : withLeft(reason, left);
}

/**
 * The end of a transfer whose part would be taken for the whole: it is removed, or else said to be there.
 * @param name of the part, as a person would look for it
 */
export async function withoutPart(
  work: { readonly signal: AbortSignal; readonly progress: Progress },
  reason: unknown,
  name: string,
  remove: () => Promise<unknown>,
): Promise<BerthError> {
  work.progress.begin(""); // nothing of it is left to be told
  const removed = await remove().then(
    () => true,
    (failure: unknown) => hasCode(failure, "storage-no-entry"),
  );
  const left = removed
    ? "the part that was there is removed"
    : `a part may be left: look for ${name} and remove it`;
  return cutShort(work, reason, left);
}
