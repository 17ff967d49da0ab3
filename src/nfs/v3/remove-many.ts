import { hasCode } from "../../core/errors.ts";
import type { FileHandle, FileName } from "../file.ts";
import type { Request } from "../request.ts";
import { remove } from "./remove.ts";
import type { ProcedureRunner } from "./runner.ts";

/** REMOVE (RFC 1813 §3.3.12) of each, side by side: v3 has no compounds, the connection is the pipeline. */
export async function removeMany(
  runner: ProcedureRunner,
  directory: FileHandle,
  names: readonly FileName[],
  request: Request,
): Promise<ReadonlyMap<number, Error>> {
  const failures = new Map<number, Error>();
  const removals = names.map((name) => runner.run(remove(directory, name), request));
  for (const [index, outcome] of (await Promise.allSettled(removals)).entries()) {
    if (outcome.status === "fulfilled" || hasCode(outcome.reason, "storage-no-entry")) continue;
    failures.set(index, outcome.reason);
  }
  return failures;
}
