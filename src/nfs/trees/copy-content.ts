import { BerthError, hasCode } from "../../core/errors.ts";
import type { NfsClient, OperationOptions, ServerCopyOptions } from "../client.ts";
import type { FileHandle, FileNode } from "../file.ts";
import { Budget } from "./budget.ts";
import { dataRanges } from "./data-ranges.ts";
import { treeLimits } from "./limits.ts";

/** How bytes came into the copy: shared by the server, copied by the server, or through this process. */
export type CopyWay = "clone" | "copy" | "read-write";

/**
 * Copies what is in files, in the best way that works: CLONE, else COPY, else READ and WRITE. What the
 * server has refused once as unsupported is not tried again.
 */
export class ContentCopier {
  /** What all copying through this process holds in memory. */
  readonly buffers = new Budget(treeLimits.copyBufferBytesMax);
  /** What one READ brings and one WRITE takes. */
  readonly blockBytes: number;
  readonly #source: NfsClient;
  readonly #target: NfsClient;
  #ways: readonly CopyWay[];

  constructor(source: NfsClient, target: NfsClient) {
    const onServer = source === target && source.features.serverSideCopy;
    this.#source = source;
    this.#target = target;
    this.blockBytes = Math.min(source.features.readBytesMax, target.features.writeBytesMax);
    this.#ways = onServer ? ["clone", "copy", "read-write"] : ["read-write"];
  }

  /** Whether nothing but READ and WRITE is left. */
  get throughUs(): boolean {
    return this.#ways.length === 1;
  }

  /** Whether the server has not refused to clone yet. */
  get mayClone(): boolean {
    return this.#ways.includes("clone");
  }

  /** Into an empty file; durable when it returns. */
  async copy(source: FileNode, target: FileHandle, options: ServerCopyOptions): Promise<CopyWay> {
    for (const way of this.#ways) {
      try {
        const copied = await this.#copyBy(way, source, target, options);
        if (!copied) continue;
        return way;
      } catch (error) {
        if (way === "read-write" || !hasCode(error, "storage-unsupported")) throw error;
        this.#ways = this.#ways.filter((each) => each !== way);
      }
    }
    throw new BerthError("internal", "no way to copy is left");
  }

  /** @returns false where this way does not fit this file */
  async #copyBy(
    way: CopyWay,
    source: FileNode,
    target: FileHandle,
    options: ServerCopyOptions,
  ): Promise<boolean> {
    switch (way) {
      case "clone":
        await this.#source.clone(source.handle, target, whole, options);
        return true;
      case "copy":
        return await this.#copyOnServer(source, target, options);
      case "read-write":
        await this.#readAndWrite(source, target, options);
        return true;
    }
  }

  /** COPY would fill the holes of a sparse file on most servers: so only what is between them. */
  async #copyOnServer(source: FileNode, target: FileHandle, options: ServerCopyOptions): Promise<boolean> {
    if (!isSparse(source)) {
      await this.#source.copy(source.handle, target, whole, options);
      return true;
    }
    const ranges = await dataRanges(this.#source, source, options);
    if (ranges === undefined) return false;
    await this.#target.setattr(target, { sizeBytes: source.attributes.sizeBytes }, options);
    for (const { start, end } of ranges) {
      const range = { sourceOffset: start, targetOffset: start, lengthBytes: end - start };
      await this.#source.copy(source.handle, target, range, options);
    }
    return true;
  }

  async #readAndWrite(source: FileNode, target: FileHandle, options: ServerCopyOptions): Promise<void> {
    const { sizeBytes } = source.attributes;
    const ranges = isSparse(source) ? await dataRanges(this.#source, source, options) : undefined;
    // The length first: then holes at the end are holes too.
    await this.#target.setattr(target, { sizeBytes }, options);
    const verifiers = new Set<string>();
    for (const { start, end } of ranges ?? [{ start: 0n, end: sizeBytes }]) {
      await this.#forEachBlock(start, end, async (offset, lengthBytes) => {
        for (const verifier of await this.#copyBlock(source.handle, target, offset, lengthBytes, options)) {
          verifiers.add(verifier);
        }
        options.onCopied?.(BigInt(lengthBytes));
      });
    }
    const committed = hex(await this.#target.commit(target, options));
    if ([...verifiers].every((each) => each === committed)) return;
    const path = JSON.stringify(options.path ?? "");
    throw new BerthError(
      "storage-unavailable",
      `${this.#target.name}: the server restarted while ${path} was written and may have lost part: run it again`,
    );
  }

  /** Several at once, as far as the buffers of all files together allow. */
  async #forEachBlock(
    start: bigint,
    end: bigint,
    work: (offset: bigint, lengthBytes: number) => Promise<void>,
  ): Promise<void> {
    let next = start;
    const worker = async () => {
      while (next < end) {
        const offset = next;
        const lengthBytes = Number(minimum(BigInt(this.blockBytes), end - offset));
        next += BigInt(lengthBytes);
        await this.buffers
          .use(lengthBytes, async () => await work(offset, lengthBytes))
          .catch((error) => {
            next = end; // the others end too
            throw error;
          });
      }
    };
    const results = await Promise.allSettled(Array.from({ length: treeLimits.blocksPerFileMax }, worker));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** @returns the verifiers of what was written */
  async #copyBlock(
    source: FileHandle,
    target: FileHandle,
    offset: bigint,
    lengthBytes: number,
    options: OperationOptions,
  ): Promise<readonly string[]> {
    const verifiers: string[] = [];
    let position = offset;
    const end = offset + BigInt(lengthBytes);
    while (position < end) {
      const { data, eof } = await this.#source.read(source, position, Number(end - position), options);
      for (const part of withoutHoles(data)) {
        verifiers.push(...(await this.#write(target, position + BigInt(part.start), part.bytes, options)));
      }
      position += BigInt(data.length);
      if (eof || data.length === 0) break; // it became shorter meanwhile
    }
    return verifiers;
  }

  async #write(
    target: FileHandle,
    offset: bigint,
    bytes: Uint8Array,
    options: OperationOptions,
  ): Promise<readonly string[]> {
    const verifiers: string[] = [];
    for (let written = 0; written < bytes.length; ) {
      const rest = bytes.subarray(written);
      const result = await this.#target.write(target, offset + BigInt(written), rest, "unstable", options);
      verifiers.push(hex(result.verifier));
      written += result.writtenBytes;
    }
    return verifiers;
  }
}

const whole = { sourceOffset: 0n, targetOffset: 0n, lengthBytes: 0n };

export function isSparse({ attributes }: FileNode): boolean {
  return attributes.usedBytes < attributes.sizeBytes;
}

const zeros = Buffer.alloc(treeLimits.holeBytes);

/** The runs of bytes that are not all zero, in the grain of `holeBytes`. */
export function* withoutHoles(
  data: Uint8Array,
): Generator<{ readonly start: number; readonly bytes: Uint8Array }> {
  const { holeBytes } = treeLimits;
  let start: number | undefined;
  for (let offset = 0; offset < data.length; offset += holeBytes) {
    const grain = data.subarray(offset, offset + holeBytes);
    const hole = zeros.subarray(0, grain.length).equals(grain);
    if (!hole) start ??= offset;
    else if (start !== undefined) {
      yield { start, bytes: data.subarray(start, offset) };
      start = undefined;
    }
  }
  if (start !== undefined) yield { start, bytes: data.subarray(start) };
}

function minimum(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
