/** HTTP/2 (RFC 9113) and HPACK (RFC 7541) by hand, as far as a test needs to send what no library would. */

/** RFC 9113 §3.4. */
export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** RFC 9113 §6. */
export const frameTypes = { data: 0, headers: 1, rstStream: 3, settings: 4, goAway: 7 } as const;
export const flags = { endStream: 1, endHeaders: 4 } as const;

const headBytes = 9;

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** RFC 9113 §4.1. */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** Each name and value as it stands: literal, never indexed, without Huffman's code (RFC 7541 §6.2.3). */
export function headerBlock(headers: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(
    headers.flatMap(([name, value]) => [Buffer.from([0x10]), literal(name), literal(value)]),
  );
}

/** RFC 7541 §5.2; a length below 127 is one byte. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length >= 127) throw new RangeError(`a text of ${bytes.length} bytes`);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/** The frames that a peer sends, until it ends. */
export async function* framesIn(stream: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const bytes of stream) {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= headBytes && rest.length >= headBytes + rest.readUIntBE(0, 3)) {
      const end = headBytes + rest.readUIntBE(0, 3);
      yield {
        type: rest.readUInt8(3),
        flags: rest.readUInt8(4),
        streamId: rest.readUInt32BE(5),
        payload: rest.subarray(headBytes, end),
      };
      rest = rest.subarray(end);
    }
  }
}
