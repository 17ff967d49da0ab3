import { RpcConnection } from "../rpc/connection.ts";
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
    throw callError(site, error, true);
  }
}
