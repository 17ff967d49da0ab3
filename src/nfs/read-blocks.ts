import type { NfsClient, OperationOptions } from "./client.ts";
import type { FileHandle } from "./file.ts";
import { nfsLimits } from "./limits.ts";
import { readBlock } from "./read-ahead.ts";

/**
 * A file's bytes in blocks, several at once and in no order, for whoever can put each in its place: reading goes on
 * while others are taken. A block's buffer is used again when `take` has ended.
 * @throws BerthError also when the file is shorter than it said; what `take` throws; when all that was begun has ended
 */
export async function readBlocks(
  client: NfsClient,
  file: FileHandle,
  sizeBytes: bigint,
  take: (data: Uint8Array, offset: bigint) => Promise<void> | void,
  options: OperationOptions = {},
): Promise<void> {
  const blockBytes = Math.min(client.features.readBytesMax, nfsLimits.readBlockBytesMax);
  let next = 0n;
  const reader = async () => {
    if (next >= sizeBytes) return;
    const buffer = Buffer.allocUnsafeSlow(blockBytes);
    while (next < sizeBytes) {
      const offset = next;
      next += BigInt(blockBytes);
      const restBytes = sizeBytes - offset;
      const block = restBytes < BigInt(blockBytes) ? buffer.subarray(0, Number(restBytes)) : buffer;
      await take(await readBlock(client, file, offset, block, options), offset);
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
