import { BerthError, hasCode } from "../../core/errors.ts";
import { silentLog } from "../../core/log.ts";
import {
  accessRights,
  connectNfs,
  explainRefusal,
  type FileAttributes,
  listExports,
  type NfsClient,
} from "../../nfs/index.ts";
import { nfsLimits } from "../../nfs/limits.ts";
import { rootCredentials } from "../../rpc/auth-sys.ts";
import { RpcConnection } from "../../rpc/connection.ts";
import { monotonicMs } from "../../rpc/deadline-timer.ts";
import { printJson, printLine } from "./output.ts";
import { report } from "./progress.ts";
import type { Work } from "./run.ts";
import { isTarget, type NfsTarget, parseTarget } from "./target.ts";
import { whyNot } from "./why-not.ts";

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
  let port = "";
  const info = () => {
    port = ", from a source port below 1024, which the server wants";
  };
  const client = await step(
    "export",
    () => connectExplained({ ...place, signal, log: { ...silentLog, info } }),
    ({ name, features }) => `${name} by NFS ${features.version}${port}`,
  );
  try {
    const { handle, attributes } = client.root;
    await step(
      "root",
      () => client.getattr(handle, { signal }),
      ({ mode, uid, gid }) => `mode ${mode.toString(8)}, owner ${uid}:${gid}`,
    );
    await step("access", () => client.access(handle, allRights, { signal }), rightsText(place, attributes));
  } finally {
    await client.close();
  }
}

const { read, lookup, execute, modify, extend, delete: remove } = accessRights;
const allRights = read | lookup | execute | modify | extend | remove;

/** What the server lets us do in the root, as it says: nothing is tried. */
function rightsText(
  { credentials = rootCredentials }: NfsTarget,
  attributes: FileAttributes,
): (rights: number) => string {
  return (rights) => {
    const may = [rights & read ? "read" : "", rights & (modify | extend | remove) ? "write" : ""].filter(
      Boolean,
    );
    const mayNot = ["read", "write"].filter((right) => !may.includes(right));
    const first = `uid ${credentials.uid} may ${may.join(" and ") || "do nothing"} here`;
    if (mayNot.length === 0) return first;
    return `${first}, not ${mayNot.join(" or ")}: ${whyNot(attributes, credentials)}`;
  };
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
  const { path: _, ...server } = parseTarget(isTarget(target) ? target : `${target}:/`);
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
  if (found.length > 0) return found;
  throw new BerthError(
    "storage-unsupported",
    `what listens on ${connection.name} speaks RPC, but neither NFS 3 nor 4: is it the port of another program, such as MOUNT?`,
  );
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
