import { readFileSync } from "node:fs";
import { BerthError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { ConnectOptions } from "../../nfs/index.ts";
import type { ExportLocation } from "../../share/export-location.ts";
import { NfsShare } from "../../share/nfs-share.ts";
import { holderPaths, layoutPaths } from "../../volumes/layout.ts";
import type { ExportAccess } from "../config/config.ts";

/** An export over the NFS client. It connects when it is first used. */
export function exportShare(
  name: string,
  location: ExportLocation,
  access: ExportAccess,
  log: Log,
): NfsShare {
  return new NfsShare({
    name,
    connect: connectOptions(location, access, log),
    kept: layoutPaths,
    holders: holderPaths,
  });
}

function connectOptions(
  { server, share }: ExportLocation,
  { nfsVersion, port, mountPort, sourcePort, uid, gid, tls }: ExportAccess,
  log: Log,
): ConnectOptions {
  return {
    host: server,
    path: share,
    credentials: { uid, gid, gids: [] },
    log,
    ...(nfsVersion === undefined ? {} : { versions: [nfsVersion] }),
    ...(port === undefined ? {} : { port }),
    ...(mountPort === undefined ? {} : { mountPort }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
  };
}

function tlsOptions({
  caFile,
  serverName,
}: NonNullable<ExportAccess["tls"]>): NonNullable<ConnectOptions["tls"]> {
  return {
    ...(caFile === undefined ? {} : { ca: readCertificates(caFile) }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

function readCertificates(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BerthError(
      "invalid-argument",
      `cannot read the certificates of tls.caFile (${reason}): give a readable PEM file`,
      { cause },
    );
  }
}
