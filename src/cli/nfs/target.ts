import { BerthError } from "../../core/errors.ts";
import type { ConnectOptions, Credentials, FileName, NfsVersion } from "../../nfs/index.ts";
import { nameText } from "../../nfs/trees/tree-directory.ts";
import { rpcLimits } from "../../rpc/limits.ts";
import { readCaFile } from "./ca-file.ts";
import { namesOf, namesOfEncoded, type TargetPath } from "./target-path.ts";

/** What a target names: where to connect, and a path that need not be an export itself. */
export type NfsTarget = ConnectOptions & {
  /** For messages and for connecting; what no UTF-8 can say is percent-encoded in it. */
  readonly path: string;
  /** The path's components. */
  readonly names: readonly FileName[];
};

const versions: readonly NfsVersion[] = ["3", "4.1", "4.2"];
const sourcePorts = ["auto", "any", "reserved"] as const;
const parameters = ["version", "sourcePort", "uid", "gid", "gids", "mountPort", "tls", "ca", "serverName"];

/**
 * `nfs://server[:port]/path?version=…&sourcePort=…&uid=…&gid=…&gids=…&mountPort=…&tls=on&ca=FILE&serverName=…`, or
 * `server:/path`.
 * @throws BerthError `invalid-argument`
 */
export function parseTarget(text: string): NfsTarget {
  if (text.startsWith("nfs://")) return parseUrl(text);
  const match = /^(\[[0-9a-fA-F:.%\w]+\]|[^:/]+):(\/.*)$/s.exec(text);
  const [, host, path] = match ?? [];
  if (host === undefined || path === undefined) {
    const bare = /^[0-9a-fA-F:]*:[0-9a-fA-F:]*:\//.test(text);
    throw invalid(text, `is neither nfs://server/path nor server:/path${bare ? bracketsHint : ""}`);
  }
  return { host: unbracketed(host), ...pathOf(text, namesOf(path)) };
}

const bracketsHint = ": an address of IPv6 stands in brackets, [fd00::1]:/path";

/** Whether it looks like a target at all, and not like a local path. */
export function isTarget(text: string): boolean {
  return text.startsWith("nfs://") || /^(\[[^\]]+\]|[^:/]+):\//.test(text);
}

/** Scheme, authority, path and query as they stand: `URL` would fold dots and drop blanks, and so name something else. */
function parseUrl(text: string): NfsTarget {
  if (text.includes("#")) throw invalid(text, "has a #: in a name it is written %23");
  const [, authority = "", path = "", query] = /^nfs:\/\/([^/?]*)([^?]*)(?:\?(.*))?$/s.exec(text) ?? [];
  const { host, port } = parseAuthority(text, authority);
  const searchParams = parseQuery(text, query);
  const version = choice(text, "version", versions, searchParams.get("version"));
  const sourcePort = choice(text, "sourcePort", sourcePorts, searchParams.get("sourcePort"));
  const mountPort = portNumber(text, "mountPort", searchParams.get("mountPort"));
  const who = credentialsOf(text, searchParams);
  return {
    host,
    ...pathOf(text, namesOfEncoded(path)),
    ...(port === undefined ? {} : { port }),
    ...(version === undefined ? {} : { versions: [version] }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(mountPort === undefined ? {} : { mountPort }),
    ...(who === undefined ? {} : { credentials: who }),
    ...tlsOf(text, searchParams),
  };
}

function parseAuthority(text: string, authority: string): { host: string; port: number | undefined } {
  if (authority.includes("@")) throw invalid(text, "has a user, whom NFS does not know: use ?uid=…&gid=…");
  const match = /^(\[[0-9a-fA-F:.%\w]+\]|[^:[\]\s%\\]+)(?::([^:]*))?$/.exec(authority);
  const [, host, port] = match ?? [];
  if (host === undefined) {
    const colons = authority.split(":").length > 2 && !authority.startsWith("[");
    throw invalid(text, `names no server${colons ? bracketsHint : ""}`);
  }
  return { host: unbracketed(host), port: portNumber(text, "port", port ?? null) };
}

function parseQuery(text: string, query: string | undefined): URLSearchParams {
  if (query === "" || query?.includes("?"))
    throw invalid(text, "has a ? too many: in a name it is written %3F");
  const searchParams = new URLSearchParams(query);
  for (const name of searchParams.keys()) {
    if (!parameters.includes(name)) {
      throw invalid(text, `has ?${name}=; known are ${parameters.join(", ")}; a ? in a name is written %3F`);
    }
    if (searchParams.getAll(name).length > 1) throw invalid(text, `has ${name}= more than once`);
  }
  return searchParams;
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

/** @throws BerthError */
function readCa(text: string, path: string): Buffer {
  const file = readCaFile(path);
  if (file.status === "error") throw invalid(text, `has ca=${path}, which ${file.problem}`);
  return file.content;
}

/** @throws BerthError */
function pathOf(text: string, path: TargetPath): Pick<NfsTarget, "path" | "names"> {
  if (path.status === "error") throw invalid(text, path.problem);
  const { names } = path;
  return { path: `/${names.map(nameText).join("/")}`, names };
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

/** Whom to act as; undefined where the target does not say. */
function credentialsOf(text: string, search: URLSearchParams): Credentials | undefined {
  const uid = number(text, "uid", search.get("uid"));
  const gid = number(text, "gid", search.get("gid"));
  const gids = (search.get("gids")?.split(",") ?? []).map((each) => number(text, "gids", each) ?? 0);
  if (gids.length > rpcLimits.groupsMax)
    throw invalid(text, `has ${gids.length} gids, of which NFS carries ${rpcLimits.groupsMax}`);
  if (uid === undefined && gid === undefined && gids.length === 0) return undefined;
  return { uid: uid ?? 0, gid: gid ?? 0, gids };
}

function number(text: string, name: string, value: string | null): number | undefined {
  if (value === null) return undefined;
  if (!/^\d{1,10}$/.test(value) || Number(value) > 0xffff_ffff)
    throw invalid(text, `has ${name}=${value}, which is no id`);
  return Number(value);
}

function portNumber(text: string, name: string, value: string | null): number | undefined {
  if (value === null) return undefined;
  const port = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (port < 1 || port > 65_535) throw invalid(text, `has ${name} ${value}, which is none from 1 to 65535`);
  return port;
}

function unbracketed(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1).replace(/%25(?=\w)/, "%") : host;
}

function invalid(text: string, what: string): BerthError {
  return new BerthError("invalid-argument", `target ${JSON.stringify(text)} ${what}`);
}
