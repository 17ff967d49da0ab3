import { monotonicMs } from "../../rpc/deadline-timer.ts";
import type { Program } from "../../rpc/message.ts";
import { RpcError, type RpcFailure } from "../../rpc/rpc-error.ts";
import { portOf, rpcbindPort } from "../../rpc/rpcbind.ts";
import { type Endpoint, endpointName } from "../../rpc/socket.ts";
import type { ConnectOptions } from "../connect-options.ts";
import { callError } from "../diagnosis.ts";
import { ExportRoot } from "../export-root.ts";
import type { FileHandle } from "../file.ts";
import { nfsLimits } from "../limits.ts";
import { NfsError } from "../nfs-error.ts";
import { openConnection } from "../open-connection.ts";
import { type Request, type RequestDefaults, requestOf } from "../request.ts";
import { Nfs3Client } from "./client.ts";
import { type ExportedPath, fetchExports } from "./export.ts";
import { fsinfo } from "./fsinfo.ts";
import { getattr } from "./getattr.ts";
import { mount, mountProgram } from "./mount.ts";
import { nfs3Program } from "./procedure.ts";
import { ProcedureRunner } from "./runner.ts";

/**
 * A client for an exported path: rpcbind and MOUNT (RFC 1813 §5), which given ports avoid, then NFS.
 * @throws NfsError
 */
export async function connectNfs3(
  server: Endpoint,
  options: ConnectOptions,
  defaults: RequestDefaults,
): Promise<Nfs3Client> {
  const { signal } = options;
  const request = requestOf(defaults, signal === undefined ? {} : { signal });
  const root = await mountRoot(server, options, defaults, request);
  const nfsPort =
    options.port ?? (await portFromRpcbind(server, nfs3Program, request).catch(() => undefined));
  const endpoint = { ...server, port: nfsPort ?? nfsLimits.port };
  const mountAgain = () => mountRoot(server, options, defaults, requestOf(defaults));
  return await openClient(endpoint, root, mountAgain, defaults, request);
}

/** What the MOUNT program says that is exported (EXPORT, RFC 1813 §5.2.5). @throws NfsError */
export async function exportsOf(
  server: Omit<Endpoint, "port">,
  givenPort: number | undefined,
  defaults: RequestDefaults,
  request: Request,
): Promise<readonly ExportedPath[]> {
  const port = givenPort ?? (await portFromRpcbind(server, mountProgram, request));
  if (port === undefined) throw noMountProgram(request);
  const { signal } = request;
  const connection = await openConnection({ ...server, port }, "MOUNT", defaults, signal);
  try {
    return await fetchExports(connection, request);
  } finally {
    connection.close();
  }
}

async function portFromRpcbind(
  server: Omit<Endpoint, "port">,
  program: Program,
  request: Request,
): Promise<number | undefined> {
  const timeout = AbortSignal.timeout(Math.max(0, Math.ceil(request.deadlineMs - monotonicMs())));
  const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]);
  try {
    return await portOf(server, program, request.deadlineMs, signal);
  } catch (error) {
    const site = { ...request.site, operation: "GETPORT" };
    throw callError(site, withoutRpcbind(server, error), true);
  }
}

/** Who wants NFS may never have heard of rpcbind, which is all that is missing. */
function withoutRpcbind({ host }: Pick<Endpoint, "host">, error: unknown): unknown {
  if (!(error instanceof RpcError) || !unanswered.includes(error.failure.kind)) return error;
  const refused = `${endpointName({ host, port: rpcbindPort })} refused the connection`;
  const why = error.failure.kind === "refused" ? refused : error.message;
  const message = `${why}: there rpcbind tells the port of MOUNT, which version 3 and lists of exports need; start it, admit TCP ${rpcbindPort}, or give the port as mountPort`;
  return new RpcError(error.failure, message, { cause: error, sends: error.sends });
}

const unanswered: readonly RpcFailure["kind"][] = ["refused", "unreachable", "timeout", "disconnected"];

function noMountProgram({ site }: Request): NfsError {
  const message = `${site.server}: the server offers no MOUNT version 3, so no NFS 3: choose version 4, or give its port as mountPort`;
  const fields = { ...site, operation: "GETPORT", diagnosis: "wrong-version", outcome: "not-done" } as const;
  return new NfsError("storage-unsupported", message, fields);
}

async function mountRoot(
  server: Endpoint,
  options: ConnectOptions,
  defaults: RequestDefaults,
  request: Request,
): Promise<FileHandle> {
  const port = options.mountPort ?? (await portFromRpcbind(server, mountProgram, request));
  if (port === undefined) throw noMountProgram(request);
  const connection = await openConnection({ ...server, port }, "MOUNT", defaults, request.signal);
  const site = { ...request.site, connecting: true, ...connection.local };
  try {
    return await mount(connection, options.path, { ...request, site });
  } finally {
    connection.close();
  }
}

async function openClient(
  endpoint: Endpoint,
  root: FileHandle,
  mountAgain: () => Promise<FileHandle>,
  defaults: RequestDefaults,
  request: Request,
): Promise<Nfs3Client> {
  const connection = await openConnection(endpoint, "NFS", defaults, request.signal);
  const runner = new ProcedureRunner(connection);
  const site = { ...request.site, connecting: true, ...connection.local };
  try {
    const attributes = await runner.run(getattr(root), { ...request, site });
    const limits = await runner.run(fsinfo(root), { ...request, site });
    const exportRoot = new ExportRoot({ handle: root, attributes }, async () => {
      const handle = await mountAgain();
      return { handle, attributes: await runner.run(getattr(handle), requestOf(defaults)) };
    });
    return new Nfs3Client(connection, runner, defaults, exportRoot, limits);
  } catch (error) {
    connection.close();
    throw error;
  }
}
