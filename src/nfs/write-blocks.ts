import { BerthError } from "../core/errors.ts";
import type { NfsClient, OperationOptions } from "./client.ts";
import type { FileHandle } from "./file.ts";
import { nfsLimits } from "./limits.ts";

/** The server lost what it had not yet put on its disk: all of it must be written again. */
export class RestartedServer extends BerthError {
  constructor() {
    super(
      "storage-unavailable",
      "the server restarted while the file was written, and may have lost part: write it again",
    );
  }
}

export interface WriteOptions extends OperationOptions {
  /** Told of each block that the server has taken, before it is durable. */
  readonly onWritten?: (bytes: number) => void;
}

/**
 * A stream into a file, from its start on, with several WRITEs under way, then COMMIT. A piece must stay as it is until
 * this returns. @returns the length, all of which is on the server's disk: it gave the verifier of every WRITE again
 * (RFC 1813 §3.3.21, RFC 8881 §18.3)
 * @throws RestartedServer `storage-unavailable`; BerthError
 */
export async function writeBlocks(
  client: NfsClient,
  file: FileHandle,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { onWritten, ...options }: WriteOptions = {},
): Promise<bigint> {
  const verifiers = new Set<string>();
  const inFlight = new Set<Promise<void>>();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {}); // nobody may wait for it
  let offset = 0n;
  for await (const block of blocksOf(content, client.features.writeBytesMax)) {
    const writing = writeBlock(client, file, offset, block, verifiers, options);
    offset += BigInt(block.length);
    inFlight.add(writing);
    writing.then(
      () => {
        inFlight.delete(writing);
        onWritten?.(block.length);
      },
      (error: unknown) => failed.reject(error),
    );
    if (inFlight.size >= nfsLimits.blocksBehindMax) await Promise.race([failed.promise, ...inFlight]);
  }
  await Promise.all(inFlight);
  verifiers.add(hex(await client.commit(file, options)));
  if (verifiers.size > 1) throw new RestartedServer();
  return offset;
}

/** Bytes as they come, in blocks of this length but the last. */
async function* blocksOf(
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  blockBytes: number,
): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const piece of content) {
    held.push(piece);
    heldBytes += piece.length;
    if (heldBytes < blockBytes) continue;
    const all = held.length === 1 ? piece : Buffer.concat(held);
    let start = 0;
    for (; heldBytes - start >= blockBytes; start += blockBytes)
      yield all.subarray(start, start + blockBytes);
    held = start < heldBytes ? [all.subarray(start)] : [];
    heldBytes -= start;
  }
  if (heldBytes > 0) yield Buffer.concat(held);
}

async function writeBlock(
  client: NfsClient,
  file: FileHandle,
  offset: bigint,
  data: Uint8Array,
  verifiers: Set<string>,
  options: OperationOptions,
): Promise<void> {
  for (let written = 0; written < data.length; ) {
    const position = offset + BigInt(written);
    const result = await client.write(file, position, data.subarray(written), "unstable", options);
    verifiers.add(hex(result.verifier));
    written += result.writtenBytes;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
