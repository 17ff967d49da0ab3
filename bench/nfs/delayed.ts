import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { DelayLine } from "../../test/nfs/delay-line.ts";

/** A way to a server on this machine that takes `delayMs` longer there and back. */
export async function delayed(port: number, delayMs: number): Promise<{ port: number } & Disposable> {
  const server: Server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    const line = new DelayLine(delayMs, (chunk) => far.write(chunk));
    near.on("data", (chunk) => line.push(chunk));
    far.on("data", (chunk) => near.write(chunk));
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        near.destroy();
        far.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("a TCP server has a port");
  return { port: address.port, [Symbol.dispose]: () => void server.close() };
}
