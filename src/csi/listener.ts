import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { BerthError } from "../core/errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { listenOnUnixSocket } from "./unix-socket.ts";

/**
 * The listening socket and its connections. grpc-js could listen by itself, but gives no hold of
 * either: the socket's mode, a stale socket, connections that never speak.
 */
export class Listener {
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  /** @param onConnection gets each connection; a broken one may be dropped at any time */
  constructor(connectionsMax: number, onConnection: (socket: Socket) => void) {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#connections.add(socket);
      socket.once("close", () => this.#connections.delete(socket));
      socket.on("error", () => {}); // a reset; "close" follows
      onConnection(socket);
    });
    this.#server.maxConnections = connectionsMax;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** @returns the endpoint, with its port when that was 0. @throws BerthError `failed-precondition` */
  async listen(endpoint: Endpoint): Promise<Endpoint> {
    if (endpoint.kind === "unix") {
      await listenOnUnixSocket(this.#server, endpoint.path);
      return endpoint;
    }
    const { host, port } = endpoint;
    try {
      this.#server.listen({ host, port });
      await once(this.#server, "listening");
    } catch (cause) {
      throw cannotListen(`${host}:${port}`, cause);
    }
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? { ...endpoint, port: address.port } : endpoint;
  }

  /** Accepts no more, and removes the Unix socket. Connections go on; resolves when they have ended. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    await promise;
  }

  /** Ends every connection at once. */
  destroyConnections(): void {
    for (const socket of this.#connections) socket.destroy();
  }
}

function cannotListen(place: string, cause: unknown): BerthError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  const why =
    code === "EADDRINUSE"
      ? "is in use: another process listens on it; stop it, or name another port"
      : `cannot be listened on (${code}): name another address or port`;
  return new BerthError("failed-precondition", `${place} ${why}`, { cause });
}
