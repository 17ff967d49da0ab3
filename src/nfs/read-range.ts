import { BerthError } from "../core/errors.ts";
import type { NfsClient, OperationOptions } from "./client.ts";
import type { FileHandle } from "./file.ts";

/** Not async, and TypeScript takes no async function for it: the bytes are overwritten when it returns. */
export type TakePiece = (bytes: Uint8Array, offset: bigint) => undefined;

/**
 * All bytes of a range, in order and however the server cuts them: each piece where it came in, which is overwritten
 * when `take` returns.
 * @throws BerthError also when the file ends before the range does; what `take` throws
 */
export async function readRange(
  client: NfsClient,
  file: FileHandle,
  start: bigint,
  lengthBytes: number,
  take: TakePiece,
  options: OperationOptions,
): Promise<void> {
  for (let done = 0; done < lengthBytes; ) {
    const offset = start + BigInt(done);
    const taken = (bytes: Uint8Array) => {
      take(bytes, offset);
      return bytes.length;
    };
    const { data: tookBytes, eof } = await client.readInPlace(
      file,
      offset,
      lengthBytes - done,
      taken,
      options,
    );
    done += tookBytes;
    if (done < lengthBytes && (eof || tookBytes === 0)) throw cutShort(client.name, start + BigInt(done));
  }
}

/** Whoever goes on without these bytes has half a file. */
function cutShort(name: string, offset: bigint): BerthError {
  return new BerthError(
    "storage-io",
    `${name}: the file ends at ${offset}, before the length that it had: somebody has cut it, or the server lies; read it again`,
  );
}
