import { RpcConnection } from "../rpc/connection.ts";
import { RpcError } from "../rpc/rpc-error.ts";
import { type Endpoint, endpointName } from "../rpc/socket.ts";
import { callError } from "./diagnosis.ts";

/** @throws NfsError */
export async function openConnection(
  endpoint: Endpoint,
  server: string,
  version: string,
  signal: AbortSignal | undefined,
  timeoutMs: number,
): Promise<RpcConnection> {
  const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
  try {
    return await RpcConnection.open(
      endpoint,
      signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    );
  } catch (error) {
    const site = { server, version, operation: `connecting to ${endpointName(endpoint)}`, uid: 0 };
    const late = timeout.aborted && signal?.aborted !== true;
    throw callError(site, late ? timedOut(endpoint, timeoutMs, error) : error, true);
  }
}

function timedOut({ tls }: Endpoint, timeoutMs: number, cause: unknown): RpcError {
  const remedy =
    tls === undefined ? "check the address, the route and any firewall" : "does it speak TLS on this port?";
  return new RpcError({ kind: "timeout" }, `no answer within ${Math.round(timeoutMs)} ms: ${remedy}`, {
    cause,
  });
}
