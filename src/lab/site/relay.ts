/**
 * A Unix socket ends with its kernel: from outside a guest its driver cannot be reached by it, and on another
 * address than a loopback one the driver will not listen, rightly. So the driver's process in a guest has a
 * relay loaded before it (`node --import`), which passes on what comes to a port of the lab's network. It
 * lives and dies with the driver; a process of its own would cost a second of the guest's time.
 */
export function relayFlags(socketPath: string, address: string, port: number): string[] {
  const source = `
import { connect, createServer } from "node:net";
const relay = createServer((outer) => {
  const inner = connect(${JSON.stringify(socketPath)});
  const end = () => {
    outer.destroy();
    inner.destroy();
  };
  for (const socket of [outer, inner]) socket.on("error", end).on("close", end);
  outer.pipe(inner).pipe(outer);
});
relay.listen(${port}, ${JSON.stringify(address)}).unref();`;
  return ["--import", `data:text/javascript,${encodeURIComponent(source)}`];
}
