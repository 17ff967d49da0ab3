import { silentLog } from "../core/log.ts";
import type { NfsClient } from "./client.ts";
import type { ConnectOptions, NfsVersion } from "./connect-options.ts";
import { nfsLimits } from "./limits.ts";
import { NfsError } from "./nfs-error.ts";
import { openConnection } from "./open-connection.ts";
import { requestDefaults } from "./request.ts";
import { connectNfs3 } from "./v3/connect.ts";
import { connectNfs4 } from "./v4/connect.ts";

const allVersions: readonly NfsVersion[] = ["4.2", "4.1", "3"];

/**
 * Connects to an export in the first of the wished versions that the server offers.
 * @throws NfsError that says why the server refuses; `BerthError` `invalid-argument` for a bad path
 */
export async function connectNfs(options: ConnectOptions): Promise<NfsClient> {
  const { sourcePort = "auto" } = options;
  if (sourcePort !== "auto") return await connectFrom(options, sourcePort);
  try {
    return await connectFrom(options, "any");
  } catch (error) {
    if (!(error instanceof NfsError) || !looksLikePort(error)) throw error;
    return await connectReserved(options, error);
  }
}

/** Linux refuses a port that is too high; Ganesha hides the export from it. */
function looksLikePort({ diagnosis }: NfsError): boolean {
  return diagnosis === "secure-port" || diagnosis === "no-such-export";
}

/** Once more, from a port below 1024. If we may not have one, the first refusal is what helps, and that. */
async function connectReserved(options: ConnectOptions, refusal: NfsError): Promise<NfsClient> {
  try {
    const client = await connectFrom(options, "reserved");
    const { log = silentLog } = options;
    log.info("the server wants a source port below 1024, and has one now", { server: client.name });
    return client;
  } catch (error) {
    const isDenied = error instanceof NfsError && error.diagnosis === "reserved-port-denied";
    if (!isDenied) throw error;
    const message = `${refusal.message} (this process may not use such a port: it would need CAP_NET_BIND_SERVICE)`;
    throw new NfsError(refusal.code, message, refusal, { cause: error });
  }
}

async function connectFrom(options: ConnectOptions, sourcePort: "any" | "reserved"): Promise<NfsClient> {
  const { versions = allVersions } = options;
  let refusal: NfsError | undefined;
  for (const version of versions) {
    try {
      return await connectVersion(options, version, sourcePort);
    } catch (error) {
      if (!(error instanceof NfsError)) throw error;
      if (!mayBeElsewhere(error)) throw moreTelling(refusal, error);
      if (refusal?.diagnosis !== "no-such-export") refusal = error; // of several refusals, that helps most
    }
  }
  throw refusal;
}

/**
 * Of a version's refusal and that of the one tried after it. A path that version 4 does not know is only guessed to be
 * one of version 3: MOUNT's answer may be as vague as "no access" (Linux, measured).
 */
function moreTelling(earlier: NfsError | undefined, later: NfsError): NfsError {
  if (earlier === undefined) return later;
  return earlier.diagnosis === "no-such-export" || later.status === undefined ? earlier : later;
}

/**
 * Whether another version may have what this one refuses. The export of a path that version 4 does not know may
 * be its path in version 3: there it is the one on the server's disk.
 */
function mayBeElsewhere({ diagnosis }: NfsError): boolean {
  return diagnosis === "wrong-version" || diagnosis === "no-such-export";
}

async function connectVersion(
  options: ConnectOptions,
  version: NfsVersion,
  sourcePort: "any" | "reserved",
): Promise<NfsClient> {
  const { host, path, port, tls, signal } = options;
  const server = `${host.includes(":") ? `[${host}]` : host}:${path}`;
  const defaults = requestDefaults(server, version, options);
  const endpoint = { host, port: port ?? nfsLimits.port, sourcePort, ...(tls === undefined ? {} : { tls }) };
  if (version === "3") return await connectNfs3(endpoint, options, defaults);
  const connection = await openConnection(endpoint, "NFS", defaults, signal);
  try {
    return await connectNfs4(connection, version === "4.2" ? 2 : 1, componentsOf(path), defaults, signal);
  } catch (error) {
    connection.close();
    throw error;
  }
}

function componentsOf(path: string): string[] {
  return path.split("/").filter((component) => component !== "" && component !== ".");
}
