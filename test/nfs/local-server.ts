import { createServer, type Server, type Socket } from "node:net";

/** A TCP server on a free port of this machine; when disposed of, it is gone with its connections. */
export abstract class LocalServer implements AsyncDisposable {
  /** Those that the end of this server ends. */
  protected readonly sockets = new Set<Socket>();
  readonly #server: Server = createServer({ noDelay: true }, (socket) => this.serve(socket));

  protected abstract serve(socket: Socket): void;

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new TypeError("a TCP server has a port");
    return address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}
