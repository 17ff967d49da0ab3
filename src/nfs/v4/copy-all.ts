import { XdrError } from "../../xdr/xdr-error.ts";
import type { CopyRange, CopyResult } from "../client.ts";
import { callError } from "../diagnosis.ts";
import type { FileHandle } from "../file.ts";
import type { Request } from "../request.ts";
import { commit } from "./commit.ts";
import { copy } from "./copy.ts";
import { putfh, savefh } from "./filehandle.ts";
import { getattr } from "./getattr.ts";
import type { CompoundRunner } from "./runner.ts";

/** COPY (RFC 7862 §15.2) until all is there (Linux moves at most 4 MiB a call), then COMMIT (RFC 8881 §18.3). */
export async function copyAll(
  runner: CompoundRunner,
  source: FileHandle,
  target: FileHandle,
  range: CopyRange,
  request: Request,
  onCopied?: (bytes: bigint) => void,
): Promise<CopyResult> {
  const lengthBytes = await lengthOf(runner, source, range, request);
  let copiedBytes = 0n;
  while (copiedBytes < lengthBytes) {
    const rest = {
      sourceOffset: range.sourceOffset + copiedBytes,
      targetOffset: range.targetOffset + copiedBytes,
      lengthBytes: lengthBytes - copiedBytes,
    };
    const operations = [putfh(source), savefh, putfh(target), copy(rest)] as const;
    const [, , , copied] = await runner.run(operations, request);
    if (copied.copiedBytes === 0n) break; // the source has become shorter
    if (copied.copiedBytes > rest.lengthBytes) throw tooMuch(request);
    copiedBytes += copied.copiedBytes;
    onCopied?.(copied.copiedBytes);
  }
  await runner.run([putfh(target), commit], request);
  return { copiedBytes };
}

async function lengthOf(
  runner: CompoundRunner,
  source: FileHandle,
  range: CopyRange,
  request: Request,
): Promise<bigint> {
  if (range.lengthBytes > 0n) return range.lengthBytes;
  const [, { sizeBytes }] = await runner.run([putfh(source), getattr], request);
  return sizeBytes > range.sourceOffset ? sizeBytes - range.sourceOffset : 0n;
}

function tooMuch({ site }: Request): Error {
  return callError({ ...site, operation: "COPY" }, new XdrError("more copied than was asked for"), true);
}
