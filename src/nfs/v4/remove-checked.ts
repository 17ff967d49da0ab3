import type { FileHandle, FileName } from "../file.ts";
import type { Request } from "../request.ts";
import { status } from "../status.ts";
import { putfh } from "./filehandle.ts";
import { lookup } from "./lookup.ts";
import { remove } from "./remove.ts";
import type { CompoundRunner } from "./runner.ts";
import { verifyDirectory, verifyNoDirectory } from "./verify.ts";

/** How each is asked for, and what the refusal to that question means. */
const kinds = {
  file: { condition: verifyNoDirectory, refusal: status.same, means: status.isdir },
  directory: { condition: verifyDirectory, refusal: status.notSame, means: status.notdir },
} as const;

/** REMOVE (RFC 8881 §18.25) takes files and empty directories: which of them the name is, is asked in the same compound. */
export async function removeChecked(
  runner: CompoundRunner,
  directory: FileHandle,
  name: FileName,
  kind: keyof typeof kinds,
  request: Request,
): Promise<void> {
  const { condition, refusal, means } = kinds[kind];
  const operations = [putfh(directory), lookup(name), condition, putfh(directory), remove(name)];
  const reply = await runner.attempt(operations, request);
  if (reply.status === "ok") return;
  const failure = reply.code === refusal ? { code: means, index: operations.length - 1 } : reply;
  throw runner.failure(operations, failure, request);
}
