import type { Renaming } from "../client.ts";
import type { Request } from "../request.ts";
import { rename } from "./rename.ts";
import type { ProcedureRunner } from "./runner.ts";

/** RENAME of each, one after the other: side by side they keep NFS-Ganesha from its directories for a second. */
export async function renameMany(
  runner: ProcedureRunner,
  renamings: readonly Renaming[],
  request: Request,
): Promise<ReadonlyMap<number, Error>> {
  const failures = new Map<number, Error>();
  for (const [index, { fromDirectory, from, toDirectory, to, ...paths }] of renamings.entries()) {
    const site = { ...request.site, ...paths };
    const procedure = rename(fromDirectory, from, toDirectory, to);
    await runner.run(procedure, { ...request, site }).catch((error) => failures.set(index, error));
  }
  return failures;
}
