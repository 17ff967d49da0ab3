import type { RpcConnection } from "../../rpc/connection.ts";
import type { NfsFeatures } from "../client.ts";
import { ExportRoot } from "../export-root.ts";
import type { FileNode } from "../file.ts";
import { nfsLimits } from "../limits.ts";
import { type Request, type RequestDefaults, requestOf } from "../request.ts";
import { Nfs4Client } from "./client.ts";
import type { MinorVersion } from "./compound.ts";
import { putfh, putrootfh } from "./filehandle.ts";
import { resolve } from "./resolve.ts";
import { CompoundRunner } from "./runner.ts";
import { transferLimits } from "./session-operations.ts";
import { xattrsSupported } from "./xattr.ts";

/**
 * A client for the directory at `path`, counted from the pseudo-root (RFC 8881 §7.3).
 * @throws NfsError; then the connection is the caller's to close
 */
export async function connectNfs4(
  connection: RpcConnection,
  minor: MinorVersion,
  path: readonly string[],
  defaults: RequestDefaults,
  signal: AbortSignal | undefined,
): Promise<Nfs4Client> {
  const request = connecting(connection, defaults, signal);
  const runner = await CompoundRunner.open(connection, minor, request, defaults.timeoutMs);
  try {
    const node = await resolve(runner, putrootfh, path, request);
    const features = await learnFeatures(runner, minor, node, request);
    const root = new ExportRoot(node, () => resolve(runner, putrootfh, path, requestOf(defaults)));
    return new Nfs4Client(connection, runner, defaults, root, features);
  } catch (error) {
    await runner.close();
    throw error;
  }
}

function connecting(
  connection: RpcConnection,
  defaults: RequestDefaults,
  signal: AbortSignal | undefined,
): Request {
  const request = requestOf(defaults, signal === undefined ? {} : { signal });
  return { ...request, site: { ...request.site, connecting: true, ...connection.local } };
}

async function learnFeatures(
  runner: CompoundRunner,
  minor: MinorVersion,
  root: FileNode,
  request: Request,
): Promise<NfsFeatures> {
  const { transferBytesMax } = nfsLimits;
  const [, server] = await runner.run([putfh(root.handle), transferLimits], request);
  // A limit of 0 would make every loop over a file endless: it counts as none.
  const room = (bytesMax: number, serverMax: bigint) =>
    Math.min(bytesMax - nfsLimits.headerBytesMax, Number(serverMax) || transferBytesMax, transferBytesMax);
  return {
    version: minor === 2 ? "4.2" : "4.1",
    readBytesMax: room(runner.limits.responseBytesMax, server.readBytesMax),
    writeBytesMax: room(runner.limits.requestBytesMax, server.writeBytesMax),
    callsInFlightMax: runner.limits.slots,
    serverSideCopy: minor === 2,
    xattrs: minor === 2 && (await hasXattrs(runner, root, request)),
  };
}

async function hasXattrs(runner: CompoundRunner, root: FileNode, request: Request): Promise<boolean> {
  const reply = await runner.attempt([putfh(root.handle), xattrsSupported], request);
  return reply.status === "ok" && reply.results[1];
}
