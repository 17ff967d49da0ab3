import { isIP } from "node:net";
import { BerthError, hasCode } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { connectNfs, type NfsClient, NfsError, type NfsVersion, type SourcePort } from "../nfs/index.ts";
import { callNull, nfs3PortOf, nfsProgram, statusMonitorRuns, systemNames } from "../nfs/null.ts";
import { type ExportLocation, printLocation } from "./export-location.ts";
import { componentsOf, type SharePath } from "./share-path.ts";

/** What is to be mounted, and how the server is spoken to. */
export interface NfsProbe {
  readonly location: ExportLocation;
  /** The directory below the share; `""` is the share itself. */
  readonly directory: SharePath;
  /** A volume's record (JSON), which must be there, and name no other directory. */
  readonly record?: SharePath;
  /** In the order of preference. */
  readonly versions: readonly NfsVersion[];
  readonly port?: number;
  readonly mountPort?: number;
  readonly sourcePort?: SourcePort;
  readonly uid: number;
  readonly gid: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** What a mount would find. */
export interface NfsProbed {
  /** The best of the asked-for versions that the server offers. */
  readonly version: NfsVersion;
  /** As mount(8)'s `proto`: which address family the server's name leads to. */
  readonly transport: "tcp" | "tcp6";
  /** Of the directory, as stat(2) shows it through a mount. */
  readonly fileid: bigint;
  /** What somebody should look into, although it can be mounted. */
  readonly warning: string | undefined;
}

/**
 * Goes the way of a mount in user space, where every step has a deadline and every refusal a reason: connects to
 * the export and looks the directory up.
 * @throws BerthError why a mount would fail: the server's refusal with its diagnosis, `not-found` when record or
 * directory is missing, `deadline-exceeded`
 */
export async function probeNfs(probe: NfsProbe): Promise<NfsProbed> {
  const name = printLocation(probe.location);
  return await inTime(probe, name, async (signal) => {
    const [client, transport] = await Promise.all([connect(probe, signal), protocolFor(probe.location)]);
    try {
      const { record } = probe;
      const [fileid, recorded] = await Promise.all([
        fileidOf(client, probe.directory, signal),
        record === undefined ? undefined : readRecord(client, record, signal),
      ]);
      const there = { path: probe.directory, fileid };
      const warning = recorded && checkRecord(client.name, recorded, there);
      return { version: client.features.version, transport, fileid, warning };
    } finally {
      await client.close().catch(() => {}); // nothing hangs on a session that was only asked
    }
  });
}

/** Whom to ask whether it is there at all. */
export interface NfsServer {
  readonly host: string;
  /** Default 2049 for NFS 4; for NFS 3 as rpcbind tells. */
  readonly port?: number;
  readonly major: 3 | 4;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** RPC NULL: for servers of which no more may be asked in user space (Kerberos). @throws BerthError why not */
export async function callNfsNull({ host, port, major, timeoutMs, signal }: NfsServer): Promise<void> {
  await inTime({ timeoutMs, ...(signal && { signal }) }, host, async (both) => {
    const target = { host, timeoutMs, signal: both };
    const found = port ?? (major === 4 ? 2049 : await nfs3PortOf(target));
    await callNull({ ...target, port: found, program: nfsProgram(major) });
  });
}

/** As mount(8)'s `proto`. @throws BerthError `deadline-exceeded`: a system may look names up for a long time */
export async function transportOf(location: ExportLocation, bound: Bound): Promise<"tcp" | "tcp6"> {
  return await inTime(bound, location.server, () => protocolFor(location));
}

async function protocolFor({ server }: ExportLocation): Promise<"tcp" | "tcp6"> {
  const family = isIP(server);
  if (family !== 0) return family === 6 ? "tcp6" : "tcp";
  // A name that does not resolve is told by whoever connects.
  const addresses = await systemNames.resolve(server).catch(() => []);
  return addresses.length > 0 && addresses.every((each) => each.family === 6) ? "tcp6" : "tcp";
}

/** Whether locks of NFS 3 have this machine's rpc.statd to work with. */
export const nfs3LocksWork = statusMonitorRuns;

async function connect(probe: NfsProbe, signal: AbortSignal): Promise<NfsClient> {
  const { location, versions, port, mountPort, sourcePort, uid, gid, timeoutMs } = probe;
  return await connectNfs({
    host: location.server,
    path: location.share,
    versions,
    credentials: { uid, gid, gids: [] },
    timeoutMs,
    signal,
    ...(port === undefined ? {} : { port }),
    ...(mountPort === undefined ? {} : { mountPort }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
  });
}

async function fileidOf(client: NfsClient, directory: SharePath, signal: AbortSignal): Promise<bigint> {
  const components = componentsOf(directory);
  if (components.length === 0) return client.root.attributes.fileid;
  const { attributes } = await look(client, directory, signal);
  if (attributes.type === "directory") return attributes.fileid;
  throw new BerthError(
    "failed-precondition",
    `${JSON.stringify(directory)} on ${client.name} is no directory but a ${attributes.type}: put back the volume's own`,
  );
}

/** Which directory a volume's record says is the volume's: its path, and which of all that have ever been there. */
interface Recorded {
  readonly record: SharePath;
  readonly path: unknown;
  readonly fileid: unknown;
}

async function readRecord(
  client: NfsClient,
  record: SharePath,
  signal: AbortSignal,
): Promise<Recorded | undefined> {
  const { handle } = await look(client, record, signal);
  const { data } = await client.read(handle, 0n, limits.recordBytesMax, { path: record, signal });
  try {
    const directory = JSON.parse(Buffer.from(data).toString("utf8"))?.directory;
    return { record, path: directory?.path, fileid: directory?.fileid };
  } catch {
    return undefined; // one that cannot be read: the data is there all the same, and pods wait for it
  }
}

/**
 * Another fileid is no refusal: what is copied back from a backup or moved to another server has new ones, and the
 * pods of a whole cluster may wait for it.
 * @returns what is odd about it
 * @throws BerthError `failed-precondition` for another path
 */
function checkRecord(
  share: string,
  { record, ...recorded }: Recorded,
  there: { readonly path: SharePath; readonly fileid: bigint },
): string | undefined {
  if (typeof recorded.path === "string" && recorded.path !== there.path) {
    throw new BerthError(
      "failed-precondition",
      `the volume's record ${record} on ${share} names the directory ${JSON.stringify(recorded.path)}, ` +
        `and the PersistentVolume ${JSON.stringify(there.path)}: correct subDir in its volumeAttributes`,
    );
  }
  if (typeof recorded.fileid !== "string" || recorded.fileid === `${there.fileid}`) return undefined;
  return (
    `${there.path} on ${share} (fileid ${there.fileid}) is not the directory that Berth made for this volume ` +
    `(fileid ${recorded.fileid}): if it was restored from a backup, write its fileid into ${record}, or it cannot be deleted`
  );
}

async function look(client: NfsClient, path: SharePath, signal: AbortSignal) {
  try {
    return await client.resolve(client.root.handle, componentsOf(path), { path, signal });
  } catch (error) {
    if (!hasCode(error, "storage-no-entry")) throw error;
    throw new BerthError(
      "not-found",
      `${client.name} has no ${JSON.stringify(path)}: the volume is not there (deleted, or another share); check the PersistentVolume`,
      { cause: error },
    );
  }
}

interface Bound {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

async function inTime<T>(
  { timeoutMs, signal }: Bound,
  name: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const both = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    return await orAborted(work(both), both);
  } catch (error) {
    if (timeout.aborted && signal?.aborted !== true) throw tooLate(name, timeoutMs, error);
    throw withKernelRemedy(error);
  }
}

/** Not all that `work` waits for can be cut short: resolving a name cannot. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new BerthError("cancelled", "the call was cancelled", { cause: signal.reason }));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
    work.catch(() => {}); // when it lost the race, nobody waits for it any more
  }
}

function tooLate(name: string, timeoutMs: number, cause: unknown): BerthError {
  return new BerthError(
    "deadline-exceeded",
    `${name} did not answer within ${timeoutMs} ms: look whether the server runs, and whether a firewall drops what goes to it`,
    { cause },
  );
}

/** On a node there is a way out that the client's own message does not know. */
function withKernelRemedy(error: unknown): unknown {
  if (!(error instanceof NfsError) || error.diagnosis !== "kerberos") return error;
  return new BerthError(
    "failed-precondition",
    `${error.message} with sec=krb5, krb5i or krb5p among the mountOptions of the PersistentVolume (this node needs a keytab and rpc.gssd)`,
    { cause: error },
  );
}
