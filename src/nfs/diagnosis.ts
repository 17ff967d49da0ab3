import { BerthError, withoutStack } from "../core/errors.ts";
import { RpcError } from "../rpc/rpc-error.ts";
import { type Diagnosis, NfsError, type Outcome } from "./nfs-error.ts";
import { status, statusName, storageCodeOf } from "./status.ts";

/** What a diagnosis needs to know of the request that failed. */
export interface Site {
  /** `host:/path`. */
  readonly server: string;
  readonly version: string;
  readonly operation: string;
  readonly path?: string | undefined;
  /** The path that it gets, of what gets another. */
  readonly newPath?: string | undefined;
  /** Whom it acted as. */
  readonly uid: number;
  /** Whether the export itself was being resolved or mounted. */
  readonly connecting?: boolean;
  /** Below 1024 a server with "secure" exports is content. */
  readonly localPort?: number | undefined;
  /** As this machine knows it; behind NAT the server sees another. */
  readonly localAddress?: string | undefined;
}

/** The error for a status that a server answered. */
export function statusError(site: Site, code: number, outcome: Outcome): NfsError {
  const diagnosis = diagnose(site, code);
  const name = statusName(code);
  const message = `${subject(site)} failed with ${name}: ${sentence(diagnosis, site, code)}`;
  const fields = { ...site, status: name, diagnosis, outcome };
  return withoutStack(() => new NfsError(storageCodeOf(code), message, fields));
}

/**
 * The error for a call without an answer, or for anything else that was thrown on the way.
 * @param repeatable whether doing it once more would change nothing: then a lost answer leaves no doubt
 */
export function callError(site: Site, reason: unknown, repeatable: boolean): BerthError {
  if (reason instanceof NfsError) return reason;
  if (!(reason instanceof RpcError)) return malformedOrUnforeseen(site, reason, repeatable);
  const doubtful = reason.sends > 0 && !repeatable && reason.failure.kind !== "rejected";
  const outcome: Outcome = doubtful ? "unknown" : "not-done";
  const known = doubtful ? "; whether the server has done it is not known: look before trying again" : "";
  const diagnosis = diagnoseCall(site, reason);
  const why = reason.failure.kind === "rejected" ? rejectionText(diagnosis, site, reason) : reason.message;
  const message = `${subject(site)} failed: ${why}${known}`;
  const fields = { ...site, diagnosis, outcome };
  return new NfsError(reason.code, message, fields, { cause: reason });
}

/** What the rejection means, and what helps, each said once. */
function rejectionText(diagnosis: Diagnosis, site: Site, { message, failure }: RpcError): string {
  if (diagnosis === "none") return message;
  if (failure.kind === "rejected" && failure.rejection.kind === "program-unavailable")
    return `${message}: is the port right?`;
  const told = sentence(diagnosis, site, status.ok);
  return diagnosis === "wrong-version" ? told : `${message}: ${told}`;
}

function malformedOrUnforeseen(site: Site, reason: unknown, repeatable: boolean): BerthError {
  if (!(reason instanceof BerthError)) return BerthError.from(reason);
  const outcome: Outcome = repeatable ? "not-done" : "unknown";
  const message = `${subject(site)} failed: ${reason.message}`;
  return new NfsError(reason.code, message, { ...site, diagnosis: "malformed", outcome }, { cause: reason });
}

/** The error for an answer that was lost with a session or repeated: it may have been ours. */
export function doubtfulError(site: Site, cause: string, code?: number): NfsError {
  const message = `${subject(site)}: ${cause}; whether the server has done it is not known: look before trying again`;
  const fields = { ...site, status: code === undefined ? undefined : statusName(code) };
  return new NfsError(code === undefined ? "storage-unavailable" : storageCodeOf(code), message, {
    ...fields,
    diagnosis: "disconnected",
    outcome: "unknown",
  });
}

function subject({ server, operation, path, newPath }: Site): string {
  const of = path === undefined ? "" : ` of ${JSON.stringify(path)}`;
  const to = newPath === undefined ? "" : ` to ${JSON.stringify(newPath)}`;
  return `${server}: ${operation}${of}${to}`;
}

function diagnose(site: Site, code: number): Diagnosis {
  switch (code) {
    case status.perm:
    case status.access:
      return isAboutExport(site, code) ? diagnoseExport(site) : diagnoseRefusal(site);
    case status.noent:
      return site.connecting === true ? "no-such-export" : "none";
    case status.wrongsec:
      return "kerberos";
    case status.minorVersMismatch:
      return "wrong-version";
    case status.stale:
    case status.badhandle:
    case status.fhexpired:
      return "stale";
    case status.grace:
      return "grace";
    case status.nospc:
      return "no-space";
    case status.dquot:
      return "quota";
    case status.rofs:
      return "read-only";
    default:
      return "none";
  }
}

function diagnoseRefusal({ uid }: Site): Diagnosis {
  return uid === 0 ? "root-squash" : "none";
}

function diagnoseExport({ localPort }: Site): Diagnosis {
  return isReserved(localPort) ? "not-exported" : "secure-port";
}

/** Operations that no owner is asked for: what they meet with PERM is the export, which changed under its client. */
const ownerless = ["PUTFH", "GETATTR", "LOOKUP", "ACCESS", "FSINFO", "FSSTAT", "READDIR", "READDIRPLUS"];

function isAboutExport({ connecting, operation }: Site, code: number): boolean {
  return connecting === true || (code === status.perm && ownerless.includes(operation));
}

function isReserved(port: number | undefined): boolean {
  return port !== undefined && port < 1024;
}

function diagnoseCall(site: Site, { failure }: RpcError): Diagnosis {
  if (failure.kind !== "rejected") return failure.kind;
  switch (failure.rejection.kind) {
    case "program-unavailable":
    case "program-mismatch":
      return "wrong-version";
    case "auth-error":
      // what Linux says to an address that nothing is exported to (measured)
      if (failure.rejection.reason === "bad-credentials") return "not-exported";
      // Ganesha says "too weak" also to a source port that it finds too high (measured)
      return isReserved(site.localPort) && failure.rejection.reason === "too-weak"
        ? "kerberos"
        : diagnoseExport(site);
    default:
      return "none";
  }
}

function sentence(diagnosis: Diagnosis, site: Site, code: number): string {
  switch (diagnosis) {
    case "secure-port":
      return `the server wants a source port below 1024 (export option "secure"), or does not export this path to ${ourAddress(site)}; set sourcePort: reserved, or export it "insecure" and to this address`;
    case "not-exported":
      return `the server does not export this path, or not to ${ourAddress(site)}: check the path, and add the address (of the node, or the pod's network) to the export`;
    case "no-such-export":
      return `there is no such path in version ${site.version}: in v4 it counts from the server's pseudo-root, in v3 it is the path on its disk; "showmount -e" lists the exports${hidden(site)}`;
    case "kerberos":
      return "the export demands Kerberos, which only the kernel's client speaks: allow sec=sys for this client, or mount it";
    case "wrong-version":
      return `the server does not offer NFS ${site.version}: choose another version, or none to take the best that it offers`;
    case "root-squash":
      return `uid 0 was refused, so the server likely maps root to nobody (export option "root_squash"): act as the owner (the export's uid and gid in the configuration, ?uid=…&gid=… of berth nfs), or export it "no_root_squash"`;
    case "stale":
      return "the file was removed, or the export is another file system now: look it up again";
    case "grace":
      return "the server has restarted and waits for clients to come back: try again within 90 s";
    case "no-space":
      return "the file system, or the quota of this directory, is full: free space or grow it";
    case "quota":
      return "the quota of this user or directory is used up: raise it or delete files";
    case "read-only":
      return `the export or its file system is read-only: export it "rw"`;
    default:
      return describeStatus(site, code);
  }
}

function ourAddress({ localAddress }: Site): string {
  return localAddress === undefined ? "this machine's address" : `this machine's address (${localAddress})`;
}

/** Ganesha leaves out of the pseudo-root what the client's port or address may not see (measured). */
function hidden({ localPort }: Site): string {
  const port = isReserved(localPort) ? "" : " that wants a source port below 1024, or";
  return `; some servers hide an export${port} that does not list the client's address`;
}

function describeStatus(site: Site, code: number): string {
  return descriptions.get(code)?.(site) ?? "the server's own log may tell more";
}

const intoItself = "a directory does not move to a place below itself, or the server takes no such name";

const descriptions = new Map<number, (site: Site) => string>([
  [status.perm, ({ uid }) => `uid ${uid} may not do this: act as the owner, or as root`],
  [status.access, ({ uid }) => `uid ${uid} has no permission here: act as the owner, or change the mode`],
  [status.noent, () => "there is no such file or directory"],
  [status.exist, () => "something of this name is there already"],
  [status.notdir, () => "a directory was expected here"],
  [status.symlink, () => "a symbolic link is on the way, and none is followed"],
  [status.isdir, () => "this is a directory"],
  [status.notempty, () => "the directory is not empty"],
  [status.xdev, () => "source and target lie on different file systems (or quota projects)"],
  [status.nametoolong, () => "the name, or the path of an export, is longer than the server allows"],
  [status.fbig, () => "the file would be larger than the server allows"],
  [status.io, () => "the server's disk or file system had an error: see its log"],
  [status.delay, () => "the server was busy with it all the time: try again"],
  [status.notsupp, () => "the server or this file system does not support it"],
  [
    status.inval,
    ({ operation }) => (operation === "RENAME" ? intoItself : "the server takes no such name or value"),
  ],
  [status.badname, () => "the server takes no such name"],
  [status.badCookie, () => "the directory changed while it was read: list it again"],
  [status.moved, () => "the file system has moved to another server, which is not followed: connect there"],
]);
