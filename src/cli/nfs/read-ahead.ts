import { BerthError } from "../../core/errors.ts";
import type { FileHandle, NfsClient } from "../../nfs/index.ts";

/** READs of one file in flight; each holds a block in memory. */
const blocksInFlightMax = 8;

/** A file's bytes in order, with several READs under way. @throws BerthError also when it is shorter than it said */
export async function* readAhead(
  client: NfsClient,
  file: FileHandle,
  sizeBytes: bigint,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const block = BigInt(client.features.readBytesMax);
  const pending: Promise<Uint8Array>[] = [];
  for (let offset = 0n; offset < sizeBytes || pending.length > 0; ) {
    while (offset < sizeBytes && pending.length < blocksInFlightMax) {
      const lengthBytes = Number(sizeBytes - offset < block ? sizeBytes - offset : block);
      const reading = readBlock(client, file, offset, lengthBytes, signal);
      reading.catch(() => {}); // thrown when its turn comes
      pending.push(reading);
      offset += BigInt(lengthBytes);
    }
    const first = pending.shift();
    if (first !== undefined) yield await first;
  }
}

async function readBlock(
  client: NfsClient,
  file: FileHandle,
  offset: bigint,
  lengthBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let read = 0; read < lengthBytes; ) {
    const position = offset + BigInt(read);
    const { data, eof } = await client.read(file, position, lengthBytes - read, { signal });
    parts.push(data);
    read += data.length;
    if (read < lengthBytes && (eof || data.length === 0)) throw nothingRead(client.name, position);
  }
  const [first, ...more] = parts;
  return first !== undefined && more.length === 0 ? first : Buffer.concat(parts);
}

/** Whoever goes on without these bytes has half a file. */
export function nothingRead(name: string, offset: bigint): BerthError {
  return new BerthError(
    "storage-io",
    `${name}: the file ends at ${offset}, before the length that it had: somebody has cut it, or the server lies; read it again`,
  );
}
