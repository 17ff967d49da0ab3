import { BerthError } from "../../core/errors.ts";
import type { FileHandle, NfsClient } from "../../nfs/index.ts";

/** WRITEs of one file in flight; each holds a block in memory. */
const blocksInFlightMax = 8;

/** The server lost what it had not yet put on its disk: all of it must be written again. */
export class RestartedServer extends BerthError {
  constructor() {
    super(
      "storage-unavailable",
      "the server restarted while the file was written, and may have lost part: write it again",
    );
  }
}

/** Bytes as they come, in blocks of this length but the last. */
export async function* blocksOf(chunks: AsyncIterable<Buffer>, blockBytes: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < blockBytes) continue;
    const all = Buffer.concat(held);
    let start = 0;
    for (; heldBytes - start >= blockBytes; start += blockBytes)
      yield all.subarray(start, start + blockBytes);
    held = [all.subarray(start)];
    heldBytes -= start;
  }
  if (heldBytes > 0) yield Buffer.concat(held);
}

/**
 * Writes blocks one after the other from the start of a file, several at once, then COMMIT. @returns their length
 * together, which is on the server's disk then @throws RestartedServer
 */
export async function writeBlocks(
  client: NfsClient,
  file: FileHandle,
  blocks: AsyncIterable<Buffer>,
  signal: AbortSignal,
  onWritten: (bytes: number) => void,
): Promise<bigint> {
  const verifiers = new Set<string>();
  const inFlight = new Set<Promise<void>>();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {}); // nobody may wait for it
  let offset = 0n;
  for await (const block of blocks) {
    const writing = writeBlock(client, file, offset, block, verifiers, signal);
    offset += BigInt(block.length);
    inFlight.add(writing);
    writing.then(
      () => {
        inFlight.delete(writing);
        onWritten(block.length);
      },
      (error: unknown) => failed.reject(error),
    );
    if (inFlight.size >= blocksInFlightMax) await Promise.race([failed.promise, ...inFlight]);
  }
  await Promise.all(inFlight);
  verifiers.add(hex(await client.commit(file, { signal })));
  if (verifiers.size > 1) throw new RestartedServer();
  return offset;
}

async function writeBlock(
  client: NfsClient,
  file: FileHandle,
  offset: bigint,
  data: Uint8Array,
  verifiers: Set<string>,
  signal: AbortSignal,
): Promise<void> {
  for (let written = 0; written < data.length; ) {
    const position = offset + BigInt(written);
    const result = await client.write(file, position, data.subarray(written), "unstable", { signal });
    verifiers.add(hex(result.verifier));
    written += result.writtenBytes;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
