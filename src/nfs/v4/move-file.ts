import type { NameBelow } from "../client.ts";
import type { FileHandle, FileName } from "../file.ts";
import { afterChange } from "../nfs-error.ts";
import type { Request } from "../request.ts";
import { putfh } from "./filehandle.ts";
import { isInterruption, linkAlone, linkTo } from "./link-target.ts";
import { remove } from "./remove.ts";
import type { CompoundRunner } from "./runner.ts";

/** LINK and REMOVE (RFC 8881 §18.9, §18.25) in one compound, or by themselves where it ends between them or has no room. */
export async function moveFile(
  runner: CompoundRunner,
  file: FileHandle,
  directory: FileHandle,
  name: FileName,
  target: NameBelow,
  request: Request,
): Promise<void> {
  const linked = [putfh(file), ...linkTo(target)];
  const removed = [putfh(directory), remove(name)];
  if (linked.length + removed.length > runner.operationsMax) {
    await linkAlone(runner, file, target, request);
    return await removeAlone();
  }
  const reply = await runner.attempt([...linked, ...removed], request);
  if (reply.status === "ok") return;
  const isCut = isInterruption(reply.code) && reply.index >= linked.length;
  if (!isCut) throw runner.failure([...linked, ...removed], reply, request);
  await removeAlone();

  async function removeAlone(): Promise<void> {
    try {
      await runner.run(removed, request);
    } catch (error) {
      throw afterChange(error);
    }
  }
}
