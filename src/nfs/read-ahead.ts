import { BerthError } from "../core/errors.ts";
import type { NfsClient, OperationOptions } from "./client.ts";
import type { FileHandle } from "./file.ts";
import { nfsLimits } from "./limits.ts";

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

/** All of a block, however the server cuts it. */
export async function readBlock(
  client: NfsClient,
  file: FileHandle,
  offset: bigint,
  block: Uint8Array,
  options: OperationOptions,
): Promise<Uint8Array> {
  for (let done = 0; done < block.length; ) {
    const position = offset + BigInt(done);
    const into = block.subarray(done);
    const { data, eof } = await client.read(file, position, into.length, { ...options, into });
    if (data.buffer !== block.buffer) into.set(data); // a client that takes no buffers
    done += data.length;
    if (done < block.length && (eof || data.length === 0)) throw cutShort(client.name, position);
  }
  return block;
}

/** Whoever goes on without these bytes has half a file. */
function cutShort(name: string, offset: bigint): BerthError {
  return new BerthError(
    "storage-io",
    `${name}: the file ends at ${offset}, before the length that it had: somebody has cut it, or the server lies; read it again`,
  );
}
