/**
 * A server of RPC over TCP that answers as a test tells it, and the bytes to answer with.
 */
import type { Socket } from "node:net";
import { LocalServer } from "./local-server.ts";

/** What a server sends for a call with this xid: any bytes, record marks included. */
export type Answer = (xid: number) => Buffer | Last;

/** After these bytes nothing more comes on this connection. */
export interface Last {
  readonly last: Buffer;
}

export function word(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, index * 4);
  return bytes;
}

/** Length, bytes and padding (RFC 4506 §4.10). */
export function opaque(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([word(bytes.length), bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

/** An accepted and successful reply (RFC 5531 §9) with these results, as one record. */
export function accepted(...results: readonly Buffer[]): (xid: number) => Buffer {
  return (xid) => record(word(xid, 1, 0, 0, 0, 0), ...results);
}

export function record(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([word(0x80000000 + body.length), body]);
}

/** What a server may answer a call with to confuse any client, whatever was called. */
export const nonsense: Readonly<Record<string, Answer>> = {
  "an empty reply": () => record(),
  "nothing behind the header": accepted(),
  "a record mark of 2 GiB": () => word(0xffffffff),
  "empty fragments without end": () => Buffer.alloc(1024 * 1024),
  "the xid of another call": (xid) => accepted(word(0))(xid + 1),
  "bytes that are no RPC": () => Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"),
  "half a record, and then nothing": (xid) => ({ last: record(word(xid, 1, 0, 0, 0)).subarray(0, 18) }),
  "a verifier that claims 2 GiB": (xid) => record(word(xid, 1, 0, 0, 0x7fffffff)),
};

export abstract class LyingServer extends LocalServer {
  /** @param call a whole call, from its xid on */
  protected abstract answerTo(call: Buffer): Buffer | Last;

  /** Calls are believed to be well-formed, of one fragment each: it is the client that is tested. */
  protected serve(socket: Socket): void {
    this.sockets.add(socket.on("error", () => {})); // the client may hang up at any moment
    socket.on("close", () => this.sockets.delete(socket));
    let buffered: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 4 && buffered.length >= 4 + (buffered.readUInt32BE(0) & 0x7fffffff)) {
        const length = 4 + (buffered.readUInt32BE(0) & 0x7fffffff);
        const answer = this.answerTo(buffered.subarray(4, length));
        buffered = buffered.subarray(length);
        socket.write("last" in answer ? answer.last : answer);
        if ("last" in answer) socket.removeAllListeners("data").resume();
      }
    });
  }
}
