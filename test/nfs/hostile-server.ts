/**
 * A server that lies: it lets a client of NFS 3 mount `/srv/data` and then answers as a test tells it.
 *
 *     await using server = new HostileServer();
 *     await server.listen();
 *     server.answer(procedure.readdirplus, () => accepted(word(0), …));
 */
import { createServer, type Server, type Socket } from "node:net";

/** What a server sends for a call with this xid: any bytes, record marks included. */
export type Answer = (xid: number) => Buffer;

/** RFC 1813 §3.3. */
export const procedure = {
  getattr: 1,
  lookup: 3,
  readlink: 5,
  read: 6,
  readdirplus: 17,
  fsinfo: 19,
} as const;

const mountProgram = 100005;

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
export function accepted(...results: readonly Buffer[]): Answer {
  return (xid) => record(word(xid, 1, 0, 0, 0, 0), ...results);
}

export function record(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([word(0x80000000 + body.length), body]);
}

/** fattr3 of a directory (RFC 1813 §2.5): type, mode, links, owners, sizes, device, fsid, fileid, three times. */
export const directoryAttributes = word(
  2,
  0o755,
  2,
  0,
  0,
  0,
  4096,
  0,
  4096,
  0,
  0,
  0,
  1,
  0,
  2,
  0,
  0,
  0,
  0,
  0,
  0,
);

const rootHandle = opaque("the root");
const fsinfo = Buffer.concat([
  word(0, 1),
  directoryAttributes,
  word(65536, 65536, 1, 65536, 65536, 1, 65536, 0x7fffffff, 0xffffffff, 0, 1, 0x1b),
]);

export class HostileServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answers = new Map<number, Answer>();

  constructor() {
    this.answer(procedure.getattr, accepted(word(0), directoryAttributes));
    this.answer(procedure.fsinfo, accepted(fsinfo));
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  /** Of NFS and of MOUNT. */
  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new TypeError("a TCP server has a port");
    return address.port;
  }

  /** From now on, for each call of this procedure of NFS. */
  answer(number: number, answer: Answer): void {
    this.#answers.set(number, answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Calls are believed to be well-formed, of one fragment each: it is the client that is tested. */
  #serve(socket: Socket): void {
    this.#sockets.add(socket.on("error", () => {}));
    let buffered: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 4 && buffered.length >= 4 + (buffered.readUInt32BE(0) & 0x7fffffff)) {
        const length = 4 + (buffered.readUInt32BE(0) & 0x7fffffff);
        socket.write(this.#answerTo(buffered.subarray(4, length)));
        buffered = buffered.subarray(length);
      }
    });
  }

  #answerTo(call: Buffer): Buffer {
    const [xid, program, number] = [call.readUInt32BE(0), call.readUInt32BE(12), call.readUInt32BE(20)];
    if (program === mountProgram) {
      return accepted(...(number === 1 ? [word(0), rootHandle, word(1, 1)] : []))(xid);
    }
    return (this.#answers.get(number) ?? accepted())(xid);
  }
}
