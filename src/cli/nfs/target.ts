import { readFileSync } from "node:fs";
import { BerthError } from "../../core/errors.ts";
import type { ConnectOptions, NfsVersion } from "../../nfs/index.ts";

/** What a target names: where to connect, and a path that need not be an export itself. */
export type NfsTarget = ConnectOptions & { readonly path: string };

const versions: readonly NfsVersion[] = ["3", "4.1", "4.2"];
const sourcePorts = ["auto", "any", "reserved"] as const;
const parameters = ["version", "sourcePort", "uid", "gid", "mountPort", "tls", "ca", "serverName"];

/**
 * `nfs://server[:port]/path?version=…&sourcePort=…&uid=…&gid=…&mountPort=…&tls=on&ca=FILE&serverName=…`, or
 * `server:/path`.
 * @throws BerthError `invalid-argument`
 */
export function parseTarget(text: string): NfsTarget {
  if (text.startsWith("nfs://")) return parseUrl(text);
  const match = /^(\[[0-9a-fA-F:.%\w]+\]|[^:/]+):(\/.*)$/.exec(text);
  const [, host, path] = match ?? [];
  if (host === undefined || path === undefined) {
    throw invalid(text, "is neither nfs://server/path nor server:/path");
  }
  return { host: unbracketed(host), path };
}

/** Whether it looks like a target at all, and not like a local path. */
export function isTarget(text: string): boolean {
  return text.startsWith("nfs://") || /^(\[[^\]]+\]|[^:/]+):\//.test(text);
}

function parseUrl(text: string): NfsTarget {
  if (!URL.canParse(text)) throw invalid(text, "is no URL");
  const url = new URL(text);
  const { hostname, port, searchParams } = url;
  if (hostname === "") throw invalid(text, "names no server");
  for (const name of searchParams.keys()) {
    if (!parameters.includes(name)) throw invalid(text, `has ?${name}=; known are ${parameters.join(", ")}`);
  }
  const version = choice(text, "version", versions, searchParams.get("version"));
  const sourcePort = choice(text, "sourcePort", sourcePorts, searchParams.get("sourcePort"));
  const mountPort = number(text, "mountPort", searchParams.get("mountPort"));
  const uid = number(text, "uid", searchParams.get("uid"));
  const gid = number(text, "gid", searchParams.get("gid"));
  const who = uid === undefined && gid === undefined ? undefined : { uid: uid ?? 0, gid: gid ?? 0, gids: [] };
  return {
    host: unbracketed(hostname),
    path: pathOf(text, url),
    ...(port === "" ? {} : { port: Number(port) }),
    ...(version === undefined ? {} : { versions: [version] }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(mountPort === undefined ? {} : { mountPort }),
    ...(who === undefined ? {} : { credentials: who }),
    ...tlsOf(text, searchParams),
  };
}

/** TLS around the connection; the authority's certificate and the name in the server's own, where they differ from the usual. */
function tlsOf(text: string, search: URLSearchParams): Pick<ConnectOptions, "tls"> {
  const wanted = choice(text, "tls", ["on", "off"], search.get("tls")) === "on";
  const [file, serverName] = [search.get("ca"), search.get("serverName")];
  if (!wanted) {
    if (file !== null || serverName !== null) throw invalid(text, "has ca or serverName without tls=on");
    return {};
  }
  const ca = file === null ? {} : { ca: readCa(text, file) };
  return { tls: { ...ca, ...(serverName === null ? {} : { serverName }) } };
}

function readCa(text: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw invalid(text, `has ca=${file}, which cannot be read`, cause);
  }
}

function pathOf(text: string, url: URL): string {
  try {
    return decodeURIComponent(url.pathname) || "/";
  } catch {
    throw invalid(text, "has a % that encodes no character");
  }
}

function choice<T extends string>(
  text: string,
  name: string,
  values: readonly T[],
  value: string | null,
): T | undefined {
  if (value === null) return undefined;
  const found = values.find((each) => each === value);
  if (found === undefined) throw invalid(text, `has ${name}=${value}; choose one of ${values.join(", ")}`);
  return found;
}

function number(text: string, name: string, value: string | null): number | undefined {
  if (value === null) return undefined;
  if (!/^\d{1,10}$/.test(value) || Number(value) > 0xffff_ffff)
    throw invalid(text, `has ${name}=${value}, no id or port`);
  return Number(value);
}

function unbracketed(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1) : host;
}

function invalid(text: string, what: string, cause?: unknown): BerthError {
  return new BerthError("invalid-argument", `target ${JSON.stringify(text)} ${what}`, { cause });
}
