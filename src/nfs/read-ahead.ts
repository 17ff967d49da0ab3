import type { NfsClient, OperationOptions } from "./client.ts";
import type { FileHandle } from "./file.ts";
import { nfsLimits } from "./limits.ts";
import { readRange } from "./read-range.ts";

/**
 * A file's bytes in order, with several READs under way, in few buffers that are used again and again: each
 * piece stays as it is only until the next one is asked for.
 * @throws BerthError also when the file is shorter than it said
 */
export async function* readAhead(
  client: NfsClient,
  file: FileHandle,
  sizeBytes: bigint,
  options: OperationOptions = {},
): AsyncGenerator<Uint8Array> {
  const blockBytes = client.features.readBytesMax;
  const free: Uint8Array[] = [];
  const pending: Promise<Uint8Array>[] = [];
  for (let offset = 0n; offset < sizeBytes || pending.length > 0; ) {
    while (offset < sizeBytes && pending.length < nfsLimits.blocksAheadMax) {
      const buffer = free.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
      const rest = sizeBytes - offset;
      const block = rest < BigInt(blockBytes) ? buffer.subarray(0, Number(rest)) : buffer;
      const reading = readBlock(client, file, offset, block, options);
      reading.catch(() => {}); // thrown when its turn comes
      pending.push(reading);
      offset += BigInt(block.length);
    }
    const first = await pending.shift();
    if (first === undefined) return;
    yield first;
    if (first.length === blockBytes) free.push(first);
  }
}

async function readBlock(
  client: NfsClient,
  file: FileHandle,
  offset: bigint,
  block: Uint8Array,
  options: OperationOptions,
): Promise<Uint8Array> {
  const take = (bytes: Uint8Array, at: bigint): undefined => {
    block.set(bytes, Number(at - offset));
  };
  await readRange(client, file, offset, block.length, take, options);
  return block;
}
