import type { NameBelow } from "../client.ts";
import type { FileHandle } from "../file.ts";
import type { Request } from "../request.ts";
import { status } from "../status.ts";
import { putfh, savefh } from "./filehandle.ts";
import { link } from "./link.ts";
import { lookup } from "./lookup.ts";
import type { Operation } from "./operation.ts";
import { resolve } from "./resolve.ts";
import type { CompoundRunner } from "./runner.ts";

/** SAVEFH of the file, the way to the directory, LINK: behind what makes the file the current one. */
export function linkTo({ directory, way, name }: NameBelow): Operation<void>[] {
  return [savefh, putfh(directory), ...way.map(lookup), link(name)];
}

/** LINK by itself, after whatever else. */
export async function linkAlone(
  runner: CompoundRunner,
  file: FileHandle,
  { directory, way, name }: NameBelow,
  request: Request,
): Promise<void> {
  const { handle } =
    way.length === 0 ? { handle: directory } : await resolve(runner, putfh(directory), way, request);
  await runner.run([putfh(file), savefh, putfh(handle), link(name)], request);
}

/** What ended a compound says nothing of the operation that it ended at: that may be asked for by itself. */
export function isInterruption(code: number): boolean {
  return code === status.tooManyOps || code === status.delay || code === status.grace;
}
