import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { BerthError } from "../../core/errors.ts";
import type { FileHandle, NfsClient } from "../../nfs/index.ts";
import { nodeOf, openHolder, openTarget, placeOf } from "./opened.ts";

/** Requests of one file in flight; each holds one READ or WRITE in memory. */
const blocksInFlightMax = 8;

/** A file of the server into a new local one. */
export async function get(source: string, path: string, signal: AbortSignal): Promise<void> {
  await using opened = await openTarget(source, signal);
  const { handle, attributes } = await nodeOf(opened, signal);
  const file = createWriteStream(path, { flags: "wx", signal });
  await once(file, "open");
  for await (const data of readAhead(opened.client, handle, attributes.sizeBytes, signal)) {
    if (!file.write(data)) await once(file, "drain", { signal });
  }
  file.end();
  await once(file, "finish");
}

/** A local file into a new one on the server; durable when it returns. */
export async function put(path: string, target: string, signal: AbortSignal): Promise<void> {
  await using file = await open(path, "r");
  await using opened = await openHolder(target, signal);
  const { client } = opened;
  const { directory, name } = await placeOf(opened, signal);
  const { handle } = await client.create(directory.handle, name, { mode: 0o644 }, undefined, {
    signal,
    path: name,
  });
  let next = 0;
  const verifiers = new Set<string>();
  const worker = async () => {
    const buffer = Buffer.allocUnsafeSlow(client.features.writeBytesMax);
    for (;;) {
      const offset = next;
      next += client.features.writeBytesMax;
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      if (bytesRead === 0) return;
      await writeAll(client, handle, offset, buffer.subarray(0, bytesRead), verifiers, signal);
    }
  };
  await Promise.all(Array.from({ length: blocksInFlightMax }, worker));
  verifiers.add(hex(await client.commit(handle, { signal })));
  if (verifiers.size <= 1) return;
  throw new BerthError(
    "storage-unavailable",
    `the server restarted while ${target} was written and may have lost part: remove it and put it again`,
  );
}

async function writeAll(
  client: NfsClient,
  file: FileHandle,
  offset: number,
  data: Uint8Array,
  verifiers: Set<string>,
  signal: AbortSignal,
): Promise<void> {
  for (let written = 0; written < data.length; ) {
    const position = BigInt(offset + written);
    const result = await client.write(file, position, data.subarray(written), "unstable", { signal });
    verifiers.add(hex(result.verifier));
    written += result.writtenBytes;
  }
}

/** A file's bytes in order, with several READs under way. */
async function* readAhead(
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
      const reading = readAll(client, file, offset, lengthBytes, signal);
      reading.catch(() => {}); // thrown when its turn comes
      pending.push(reading);
      offset += BigInt(lengthBytes);
    }
    const first = pending.shift();
    if (first !== undefined) yield await first;
  }
}

async function readAll(
  client: NfsClient,
  file: FileHandle,
  offset: bigint,
  lengthBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let read = 0; read < lengthBytes; ) {
    const { data, eof } = await client.read(file, offset + BigInt(read), lengthBytes - read, { signal });
    parts.push(data);
    read += data.length;
    if (eof || data.length === 0) break;
  }
  const [first, ...more] = parts;
  return first !== undefined && more.length === 0 ? first : Buffer.concat(parts);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
