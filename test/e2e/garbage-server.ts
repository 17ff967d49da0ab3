/** A server on NFS's port that sends no NFS: to each connection another kind of garbage. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { seededRandom } from "../support/seeded-random.ts";

/** What it does with the first bytes that it gets. */
const kinds: readonly ((socket: Socket, heard: Buffer, random: (bytes: number) => Buffer) => void)[] = [
  (socket) => socket.destroy(),
  (socket, _, random) => void socket.end(random(4096)),
  // a record of 2 GiB
  (socket) => void socket.write(Buffer.from("7fffffff00000000", "hex")),
  // an answer to this call (its xid follows its record mark), accepted, with anything in it
  (socket, heard, random) => {
    const header = Buffer.concat([
      heard.subarray(4, 8),
      Buffer.from("000000010000000000000000000000000000000000000000", "hex"),
    ]);
    const body = Buffer.concat([header, random(200)]);
    const mark = Buffer.alloc(4);
    mark.writeUInt32BE(0x8000_0000 + body.length);
    socket.write(Buffer.concat([mark, body]));
  },
  // what it was asked
  (socket, heard) => void socket.write(heard),
];

export class GarbageServer implements AsyncDisposable {
  static readonly kinds = kinds.length;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #spoken = 0;

  private constructor() {
    const next = seededRandom(1);
    const random = (bytes: number) =>
      Buffer.from(Array.from({ length: bytes }, () => Math.floor(next() * 256)));
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {}); // the other side may hang up at any moment
      socket.once("data", (heard) => {
        kinds[this.#spoken % kinds.length]?.(socket, heard, random);
        this.#spoken += 1;
        this.#server.emit("spoken");
      });
    });
  }

  static async listen(address: string): Promise<GarbageServer> {
    const server = new GarbageServer();
    server.#server.listen(2049, address);
    await once(server.#server, "listening");
    return server;
  }

  /** Resolves when so many connections have had their garbage. */
  async hasSpoken(times: number): Promise<void> {
    while (this.#spoken < times) await once(this.#server, "spoken");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
  }
}
