import type { FileName, FileNode } from "../file.ts";
import type { Request } from "../request.ts";
import { getfh, putfh } from "./filehandle.ts";
import { getattr } from "./getattr.ts";
import { lookup } from "./lookup.ts";
import type { Operation } from "./operation.ts";
import type { CompoundRunner } from "./runner.ts";

/** LOOKUP after LOOKUP, as many as a compound holds. @param start PUTFH or PUTROOTFH */
export async function resolve(
  runner: CompoundRunner,
  start: Operation<void>,
  names: readonly FileName[],
  request: Request,
): Promise<FileNode> {
  const lookupsMax = runner.operationsMax - 3; // beside PUTFH, GETFH, GETATTR
  const way = [start, ...names.slice(0, lookupsMax).map(lookup)];
  const [handle, attributes] = await runner.runAfter(way, [getfh, getattr], request);
  if (names.length <= lookupsMax) return { handle, attributes };
  return await resolve(runner, putfh(handle), names.slice(lookupsMax), request);
}
