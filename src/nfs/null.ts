import { type Credentials, rootCredentials } from "../rpc/auth-sys.ts";
import { RpcConnection } from "../rpc/connection.ts";
import { monotonicMs } from "../rpc/deadline-timer.ts";
import type { Program } from "../rpc/message.ts";
import { portOf } from "../rpc/rpcbind.ts";
import type { SourcePort } from "../rpc/source-port.ts";
import { callError } from "./diagnosis.ts";
import { nfsLimits } from "./limits.ts";

export { systemNames } from "../rpc/system-names.ts";

/** An RPC program of a host, over TCP. */
export interface NullTarget {
  readonly host: string;
  readonly port: number;
  readonly program: Program;
  readonly sourcePort?: SourcePort;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export const nfsProgram = (version: 3 | 4): Program => ({ name: "NFS", number: 100003, version });

/** The status monitor, which NFS 3's locks need on the client (rpc.statd(8)). */
const statusProgram: Program = { name: "NSM", number: 100024, version: 1 };

const nobodyAsked: Credentials = rootCredentials;

/**
 * Asks a server whether it serves a program: procedure 0, which does nothing (RFC 5531 §12.1). It tells that
 * somebody is there, not that an export works.
 * @throws NfsError why not, `wrong-version` when it has other versions only
 */
export async function callNull(target: NullTarget): Promise<void> {
  const { host, port, program, timeoutMs } = target;
  const sourcePort = target.sourcePort === "reserved" ? "reserved" : "any";
  const signal = withTimeout(target);
  const site = { server: host, version: `${program.version}`, uid: 0 };
  let operation = "connecting";
  try {
    const connection = await RpcConnection.open({ host, port, sourcePort }, signal);
    operation = "NULL";
    try {
      const deadlineMs = monotonicMs() + timeoutMs;
      const call = { program, procedure: 0, name: "NULL", credentials: nobodyAsked, deadlineMs, signal };
      await connection.call({ ...call, encode: () => {} });
    } finally {
      connection.close();
    }
  } catch (error) {
    throw callError({ ...site, operation }, error, true);
  }
}

/** Where a server serves NFS 3 as rpcbind tells; 2049 when it tells nothing. */
export async function nfs3PortOf({
  host,
  timeoutMs,
  signal,
}: Pick<NullTarget, "host" | "timeoutMs" | "signal">): Promise<number> {
  const server = { host, sourcePort: "any" } as const;
  const both = withTimeout({ timeoutMs, signal });
  const found = portOf(server, nfsProgram(3), monotonicMs() + timeoutMs, both);
  return (await found.catch(() => undefined)) ?? nfsLimits.port;
}

/** Whether this machine's rpc.statd runs, as rpcbind tells. */
export async function statusMonitorRuns(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
  const here = { host: "127.0.0.1", sourcePort: "any" } as const;
  const both = withTimeout({ timeoutMs, signal });
  const found = portOf(here, statusProgram, monotonicMs() + timeoutMs, both);
  return (await found.catch(() => undefined)) !== undefined;
}

function withTimeout({ timeoutMs, signal }: Pick<NullTarget, "timeoutMs" | "signal">): AbortSignal {
  const timeout = AbortSignal.timeout(Math.ceil(timeoutMs));
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}
