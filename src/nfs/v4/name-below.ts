import type { FileName } from "../file.ts";
import type { Request } from "../request.ts";
import type { NameBelow } from "../steps.ts";
import { putfh } from "./filehandle.ts";
import { lookup } from "./lookup.ts";
import type { Operation } from "./operation.ts";
import { resolve } from "./resolve.ts";
import type { CompoundRunner } from "./runner.ts";

/** What makes the directory of a name the current one: PUTFH and LOOKUPs (RFC 8881 §18.19, §18.13). */
export function wayTo({ directory, way }: Pick<NameBelow, "directory" | "way">): Operation<void>[] {
  return [putfh(directory), ...way.map((name: FileName) => lookup(name))];
}

/** The same name without a way: for one that no compound holds. */
export async function withoutWay(
  runner: CompoundRunner,
  place: NameBelow,
  request: Request,
): Promise<NameBelow> {
  if (place.way.length === 0) return place;
  const { handle } = await resolve(runner, putfh(place.directory), place.way, request);
  return { directory: handle, way: [], name: place.name };
}
