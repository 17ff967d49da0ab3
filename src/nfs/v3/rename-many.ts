import type { FileHandle } from "../file.ts";
import type { Request } from "../request.ts";
import type { NameBelow, Renaming } from "../steps.ts";
import { lookup } from "./lookup.ts";
import { rename } from "./rename.ts";
import type { ProcedureRunner } from "./runner.ts";

/** RENAME of each, one after the other: side by side they keep NFS-Ganesha from its directories for a second. */
export async function renameMany(
  runner: ProcedureRunner,
  renamings: readonly Renaming[],
  request: Request,
): Promise<ReadonlyMap<number, Error>> {
  const failures = new Map<number, Error>();
  for (const [index, { from, to, ...paths }] of renamings.entries()) {
    const own = { ...request, site: { ...request.site, ...paths } };
    try {
      const source = await directoryOf(runner, from, own);
      const target = await directoryOf(runner, to, own);
      await runner.run(rename(source, from.name, target, to.name), own);
    } catch (error) {
      failures.set(index, error as Error); // as all that a runner rejects with
    }
  }
  return failures;
}

async function directoryOf(
  runner: ProcedureRunner,
  { directory, way }: NameBelow,
  request: Request,
): Promise<FileHandle> {
  let handle = directory;
  for (const name of way) ({ handle } = await runner.run(lookup(handle, name), request));
  return handle;
}
