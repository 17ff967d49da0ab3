import type { Log } from "../core/log.ts";
import type { Credentials } from "../rpc/auth-sys.ts";
import type { TlsOptions } from "../rpc/socket.ts";
import type { SourcePort } from "../rpc/source-port.ts";

export type NfsVersion = "3" | "4.1" | "4.2";

/** Where an export is, and how to speak to it. */
export interface ConnectOptions {
  /** A name or address; IPv6 without brackets. A name with several addresses: the first that answers. */
  readonly host: string;
  /** In v3 the export's path on the server (or below it); in v4 relative to the pseudo-root (RFC 8881 §7.3). */
  readonly path: string;
  /** Versions to try, in this order; default 4.2, 4.1, 3. */
  readonly versions?: readonly NfsVersion[];
  /** Default 2049 for v4; for v3 as rpcbind says, and 2049 if it does not answer. */
  readonly port?: number;
  /** v3 only: default as rpcbind says. */
  readonly mountPort?: number;
  /** Default uid 0, gid 0. */
  readonly credentials?: Credentials;
  /** Default "auto": any, and a reserved one after a refusal that looks like the export option "secure". */
  readonly sourcePort?: SourcePort;
  /** TLS around the whole connection, as stunnel and Amazon EFS have it; not RFC 9289. Default off. */
  readonly tls?: TlsOptions;
  /** For an operation that names none, and for connecting. Default 30 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly log?: Log;
}
