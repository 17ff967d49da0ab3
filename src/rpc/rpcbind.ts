import { rootCredentials } from "./auth-sys.ts";
import { RpcConnection } from "./connection.ts";
import type { Program } from "./message.ts";
import type { Endpoint } from "./socket.ts";

const portmapper: Program = { name: "rpcbind", number: 100000, version: 2 };
const getport = 3;
const protocolTcp = 6;
export const rpcbindPort = 111;

/**
 * On which TCP port a server offers a program: PMAPPROC_GETPORT (RFC 1833 §3).
 * @returns undefined when it is not registered
 * @throws RpcError when rpcbind does not answer
 */
export async function portOf(
  server: Omit<Endpoint, "port">,
  program: Program,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { tls: _, ...plain } = server; // rpcbind knows no TLS
  const connection = await RpcConnection.open({ ...plain, port: rpcbindPort }, signal);
  try {
    const { results } = await connection.call({
      program: portmapper,
      procedure: getport,
      name: "GETPORT",
      credentials: rootCredentials,
      deadlineMs,
      signal,
      encode: (writer) => {
        writer.uint32(program.number).uint32(program.version).uint32(protocolTcp).uint32(0);
      },
    });
    const port = results.uint32();
    return port > 0 && port < 65_536 ? port : undefined;
  } finally {
    connection.close();
  }
}
