import { RpcConnection } from "../rpc/connection.ts";
import { RpcError } from "../rpc/rpc-error.ts";
import { type Endpoint, endpointName } from "../rpc/socket.ts";
import { callError } from "./diagnosis.ts";
import type { RequestDefaults } from "./request.ts";

/** @param program what is expected to listen there @throws NfsError */
export async function openConnection(
  endpoint: Endpoint,
  program: "NFS" | "MOUNT",
  { server, version, timeoutMs }: RequestDefaults,
  signal: AbortSignal | undefined,
): Promise<RpcConnection> {
  const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
  try {
    return await RpcConnection.open(
      endpoint,
      signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    );
  } catch (error) {
    const site = { server, version, operation: `connecting to ${program}`, uid: 0 };
    const late = timeout.aborted && signal?.aborted !== true;
    throw callError(site, late ? timedOut(endpoint, timeoutMs, error) : error, true);
  }
}

function timedOut(endpoint: Endpoint, timeoutMs: number, cause: unknown): RpcError {
  const remedy =
    endpoint.tls === undefined
      ? "check the address, the route and any firewall"
      : "does it speak TLS on this port?";
  return new RpcError(
    { kind: "timeout" },
    `no answer from ${endpointName(endpoint)} within ${Math.round(timeoutMs)} ms: ${remedy}`,
    {
      cause,
    },
  );
}
