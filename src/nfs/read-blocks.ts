import type { NfsClient, OperationOptions } from "./client.ts";
import type { FileHandle } from "./file.ts";
import { nfsLimits } from "./limits.ts";
import { readRange, type TakePiece } from "./read-range.ts";

/**
 * A file's bytes in pieces, with several READs under way and in no order, for whoever can put each in its place at
 * once: they are given where they came in, and overwritten when `take` returns.
 * @throws BerthError also when the file is shorter than it said; what `take` throws; when all that was begun has ended
 */
export async function readBlocks(
  client: NfsClient,
  file: FileHandle,
  sizeBytes: bigint,
  take: TakePiece,
  options: OperationOptions = {},
): Promise<void> {
  const blockBytes = BigInt(client.features.readBytesMax);
  let next = 0n;
  const reader = async () => {
    while (next < sizeBytes) {
      const start = next;
      next += blockBytes;
      const restBytes = sizeBytes - start;
      const lengthBytes = Number(restBytes < blockBytes ? restBytes : blockBytes);
      await readRange(client, file, start, lengthBytes, take, options);
    }
  };
  const readers = Array.from({ length: nfsLimits.blocksAheadMax }, async () => {
    await reader().catch((error: unknown) => {
      next = sizeBytes; // the others end too
      throw error;
    });
  });
  const failed = (await Promise.allSettled(readers)).find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
