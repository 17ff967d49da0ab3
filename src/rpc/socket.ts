import { once } from "node:events";
import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { rpcLimits } from "./limits.ts";
import { RpcError, type RpcFailure } from "./rpc-error.ts";
import { localPorts } from "./source-port.ts";
import { systemNames } from "./system-names.ts";

/** TLS with the server's certificate always verified. */
export interface TlsOptions {
  /** PEM certificates to trust; default those of Node. */
  readonly ca?: string | Buffer;
  /** The name that the certificate must have; default the host. */
  readonly serverName?: string;
  /** PEM, where the server asks for a client certificate. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

/** A server's end of a connection, and how ours shall be. */
export interface Endpoint {
  /** A name or an address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly sourcePort: "any" | "reserved";
  readonly tls?: TlsOptions;
  /** All addresses of a name; default as the system resolves it. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** What the last connection to an endpoint used, to be used again. */
export interface LastSocket {
  readonly address: string;
  readonly localPort: number;
}

export function endpointName({ host, port }: { readonly host: string; readonly port: number }): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Takes what a socket brings. */
export interface Receiver {
  /** Where the next bytes are best put; undefined where that does not matter. */
  room(): Buffer<ArrayBuffer> | undefined;
  /** Takes bytes, up to `lengthBytes`; the chunk is overwritten afterwards. */
  push(chunk: Buffer, lengthBytes: number): void;
}

/**
 * Connects to the first of the endpoint's addresses that answers, the last used one first.
 * @throws RpcError `unresolved`, `refused`, `unreachable`, `reserved-port-denied`, `tls`, `cancelled`
 */
export async function openSocket(
  endpoint: Endpoint,
  receiver: Receiver,
  signal: AbortSignal,
  last?: LastSocket,
): Promise<Socket> {
  let failure: unknown;
  for (const address of await addressesOf(endpoint, last?.address)) {
    try {
      const { tls } = endpoint;
      const plain = tls === undefined ? receiver : undefined;
      const socket = await connectFrom(endpoint, address, plain, signal, last?.localPort);
      if (tls === undefined) return socket;
      const secure = await wrapTls(endpoint, tls, socket, signal);
      return secure.on("data", (chunk: Buffer) => receiver.push(chunk, chunk.length));
    } catch (error) {
      failure = error;
      if (signal.aborted) break;
    }
  }
  throw connectError(endpoint, failure, signal);
}

async function addressesOf(
  { host, resolve = resolveBySystem }: Endpoint,
  last: string | undefined,
): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    const found = await resolve(host);
    const known = last !== undefined && found.includes(last) ? [last] : [];
    return [...new Set([...known, ...found])].slice(0, rpcLimits.addressesMax);
  } catch (cause) {
    throw new RpcError(
      { kind: "unresolved" },
      `server name ${host} does not resolve to an address: check its spelling and the DNS of this machine`,
      { cause },
    );
  }
}

async function resolveBySystem(host: string): Promise<string[]> {
  return (await systemNames.resolve(host)).map(({ address }) => address);
}

async function connectFrom(
  endpoint: Endpoint,
  address: string,
  receiver: Receiver | undefined,
  signal: AbortSignal,
  lastPort: number | undefined,
): Promise<Socket> {
  let failure: unknown;
  for (const localPort of localPorts(endpoint.sourcePort, lastPort)) {
    try {
      return await connectOnce(address, endpoint.port, localPort, receiver, signal);
    } catch (error) {
      failure = error;
      if (!hasErrno(error, "EADDRINUSE", "EADDRNOTAVAIL")) break;
    }
  }
  throw failure;
}

async function connectOnce(
  host: string,
  port: number,
  localPort: number | undefined,
  receiver: Receiver | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = connectTcp({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: rpcLimits.keepaliveMs,
    ...(localPort === undefined ? {} : { localPort }),
    ...(receiver === undefined ? {} : { onread: readInto(receiver) }),
  });
  return await ready(socket, "connect", signal);
}

/**
 * Reads to where the receiver wants it, else into one buffer again and again: one of its own for each read is
 * garbage that collects faster than it is.
 */
function readInto(receiver: Receiver): OnReadOpts {
  const buffer = Buffer.allocUnsafeSlow(rpcLimits.receiveBytes);
  let next = buffer;
  return {
    buffer: () => {
      next = receiver.room() ?? buffer;
      return next;
    },
    callback: (lengthBytes) => {
      receiver.push(next, lengthBytes);
      return true;
    },
  };
}

async function wrapTls(
  endpoint: Endpoint,
  tls: TlsOptions,
  socket: Socket,
  signal: AbortSignal,
): Promise<Socket> {
  const { serverName, ...pem } = tls;
  const name = serverName ?? endpoint.host;
  const secure = connectTls({
    ...pem,
    socket,
    host: name, // what the certificate is checked against
    rejectUnauthorized: true,
    ...(isIP(name) === 0 ? { servername: name } : {}),
  });
  try {
    return await ready(secure, "secureConnect", signal);
  } catch (cause) {
    socket.destroy();
    if (signal.aborted) throw cause;
    if (isAbortError(cause)) throw new RpcError({ kind: "tls" }, silentAtTls(endpoint), { cause });
    throw new RpcError(
      { kind: "tls" },
      `TLS with ${endpointName(endpoint)} failed (${tlsReasonOf(cause)}): check its certificate, the name in it ` +
        '("serverName", of an export tls.serverName), and whom to trust ("ca", of an export tls.caFile)',
      { cause },
    );
  }
}

/** Waits for the socket's event, within our own bound and the caller's. */
async function ready<S extends Socket>(socket: S, event: string, signal: AbortSignal): Promise<S> {
  const timeout = AbortSignal.timeout(rpcLimits.connectMsMax);
  try {
    await once(socket, event, { signal: AbortSignal.any([signal, timeout]) });
    return socket;
  } catch (error) {
    socket.on("error", () => {}); // one may still be under way
    socket.destroy();
    throw error;
  }
}

function connectError(endpoint: Endpoint, cause: unknown, signal: AbortSignal): RpcError {
  if (cause instanceof RpcError) return cause;
  const name = endpointName(endpoint);
  const error = (failure: RpcFailure, message: string) => new RpcError(failure, message, { cause });
  if (signal.aborted) return error({ kind: "cancelled" }, `connecting to ${name} was given up`);
  if (hasErrno(cause, "ECONNREFUSED")) {
    return error(
      { kind: "refused" },
      `${name} refused the connection: nothing listens on this port; is the NFS server running, and the port right?`,
    );
  }
  if (hasErrno(cause, "EACCES", "EPERM") && endpoint.sourcePort === "reserved") {
    return error(
      { kind: "reserved-port-denied" },
      `this process may not use a source port below 1024: run it as root, grant CAP_NET_BIND_SERVICE, or set the sysctl net.ipv4.ip_unprivileged_port_start to 0 (connecting to ${name})`,
    );
  }
  return error(
    { kind: "unreachable" },
    `${name} cannot be reached (${reasonOf(cause)}): check the address, the route and any firewall`,
  );
}

function hasErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.some((code) => error.code === code);
}

function silentAtTls(endpoint: Endpoint): string {
  return `TLS with ${endpointName(endpoint)} failed (no answer within ${rpcLimits.connectMsMax} ms): does it speak TLS on this port?`;
}

function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** Without Node's own advice, which is about flags that nobody here can give. */
function tlsReasonOf(error: unknown): string {
  return reasonOf(error).replace(/; if the root CA is installed locally.*/s, "");
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown reason";
  if (isAbortError(error)) return `no answer within ${rpcLimits.connectMsMax} ms`;
  return error.message;
}
