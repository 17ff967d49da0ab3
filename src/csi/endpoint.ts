import { BerthError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";

/** Where the driver listens. */
export type Endpoint =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/**
 * `unix:///csi/csi.sock`, or `tcp://127.0.0.1:10000` on a loopback address: what speaks on any other
 * could create and delete volumes without a password.
 * @throws BerthError `invalid-argument`
 */
export function parseEndpoint(text: string): Endpoint {
  if (text.startsWith("unix://")) return unixEndpoint(text, text.slice("unix://".length));
  if (text.startsWith("tcp://")) return tcpEndpoint(text, text.slice("tcp://".length));
  throw invalid(text, "is neither unix:// nor tcp://", "write unix:///csi/csi.sock or tcp://127.0.0.1:10000");
}

export function printEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return `unix://${endpoint.path}`;
  return `tcp://${endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`;
}

function unixEndpoint(text: string, path: string): Endpoint {
  if (!path.startsWith("/"))
    throw invalid(text, "has a relative path", "write three slashes: unix:///csi/csi.sock");
  if (path.endsWith("/") || path.includes("\0")) throw invalid(text, "names no file", "name the socket");
  const bytes = Buffer.byteLength(path);
  if (bytes > limits.unixSocketPathBytesMax) {
    throw invalid(
      text,
      `has a path of ${bytes} bytes, and the kernel would cut it at ${limits.unixSocketPathBytesMax} and bind another`,
      "use a shorter path",
    );
  }
  return { kind: "unix", path };
}

function tcpEndpoint(text: string, authority: string): Endpoint {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(authority) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || !(port <= 65_535)) {
    throw invalid(text, "is no host and port", "write tcp://127.0.0.1:10000 or tcp://[::1]:10000");
  }
  // Not resolved: a name server's word must not open the driver to the network.
  const address = host === "localhost" ? "127.0.0.1" : host;
  if (!isLoopback(address)) {
    throw invalid(
      text,
      "is no loopback address",
      "without mutual TLS Berth listens on 127.0.0.1 or [::1] only",
    );
  }
  return { kind: "tcp", host: address, port };
}

function isLoopback(address: string): boolean {
  return address === "::1" || /^127(\.(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}$/.test(address);
}

function invalid(text: string, cause: string, remedy: string): BerthError {
  return new BerthError(
    "invalid-argument",
    `endpoint ${JSON.stringify(text.slice(0, 200))} ${cause}: ${remedy}`,
  );
}
