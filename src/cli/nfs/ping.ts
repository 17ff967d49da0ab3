import { hasCode } from "../../core/errors.ts";
import { connectNfs, explainRefusal, listExports, type NfsClient } from "../../nfs/index.ts";
import { nfsLimits } from "../../nfs/limits.ts";
import { rootCredentials } from "../../rpc/auth-sys.ts";
import { RpcConnection } from "../../rpc/connection.ts";
import { monotonicMs } from "../../rpc/deadline-timer.ts";
import { printJson, printLine } from "./output.ts";
import { report } from "./progress.ts";
import type { Work } from "./run.ts";
import { type NfsTarget, parseTarget } from "./target.ts";

/**
 * Goes the way to an export step by step, each with its time: connecting by TCP, the versions that answer RPC
 * NULL (RFC 5531 §12), the export, its root. The step that fails is thrown, with its diagnosis.
 */
export async function ping(
  target: string,
  { json }: { readonly json?: boolean },
  { signal }: Work,
): Promise<void> {
  const place = parseTarget(target);
  const step = async <T>(
    name: string,
    work: () => Promise<T>,
    describe: (result: T) => string,
  ): Promise<T> => {
    const startMs = performance.now();
    const result = await work();
    const ms = Math.round((performance.now() - startMs) * 10) / 10;
    if (json) printJson({ step: name, ms, result: describe(result) });
    else printLine(`${name.padEnd(8)} ${ms.toFixed(1).padStart(8)} ms  ${describe(result)}`);
    return result;
  };
  const connection = await step(
    "tcp",
    () => open(place, signal),
    ({ name }) => `connected to ${name}`,
  );
  try {
    await step(
      "versions",
      () => versionsOf(connection, signal),
      (versions) => `NFS ${versions.join(", ")} answer`,
    );
  } finally {
    connection.close();
  }
  const client = await step(
    "export",
    () => connectExplained({ ...place, signal }),
    ({ name, features }) => `${name} by NFS ${features.version}`,
  );
  try {
    const { handle } = client.root;
    await step(
      "root",
      () => client.getattr(handle, { signal }),
      ({ mode, uid, gid }) => `mode ${mode.toString(8)}, owner ${uid}:${gid}`,
    );
  } finally {
    await client.close();
  }
}

async function connectExplained(place: NfsTarget): Promise<NfsClient> {
  try {
    return await connectNfs(place);
  } catch (error) {
    throw await explainRefusal(error, place);
  }
}

/** What the server says that it exports, as `showmount -e` does. */
export async function exports(
  target: string,
  { json }: { readonly json?: boolean },
  { signal }: Work,
): Promise<void> {
  const isWhole = target.startsWith("nfs://") || target.includes(":/");
  const { path: _, ...server } = parseTarget(isWhole ? target : `${target}:/`);
  for (const each of await listExports({ ...server, signal })) {
    const clients = each.clients.length === 0 ? "everybody" : each.clients.join(" ");
    report(json, each, () => printLine(`${each.path}  ${clients}`));
  }
}

/** Resolves the name, and connects to the first of its addresses that answers. */
async function open(
  { host, port = nfsLimits.port, tls }: NfsTarget,
  signal: AbortSignal,
): Promise<RpcConnection> {
  return await RpcConnection.open(
    { host, port, sourcePort: "any", ...(tls === undefined ? {} : { tls }) },
    signal,
  );
}

async function versionsOf(connection: RpcConnection, signal: AbortSignal): Promise<readonly number[]> {
  const found: number[] = [];
  for (const version of [3, 4]) if (await answersNull(connection, version, signal)) found.push(version);
  return found;
}

async function answersNull(
  connection: RpcConnection,
  version: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await connection.call({
      program: { name: "NFS", number: 100003, version },
      procedure: 0,
      name: "NULL",
      credentials: rootCredentials,
      deadlineMs: monotonicMs() + nfsLimits.timeoutMsDefault,
      signal,
      encode: () => {},
    });
    return true;
  } catch (error) {
    if (hasCode(error, "storage-unsupported")) return false;
    throw error;
  }
}
