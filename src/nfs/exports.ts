import { connectNfs } from "./connect.ts";
import type { ConnectOptions } from "./connect-options.ts";
import { nfsLimits } from "./limits.ts";
import { type Diagnosis, NfsError } from "./nfs-error.ts";
import { requestDefaults, requestOf } from "./request.ts";
import { exportsOf } from "./v3/connect.ts";
import type { ExportedPath } from "./v3/export.ts";

/**
 * What a server exports, as its MOUNT program lists it (RFC 1813 §5.2.5); servers of version 4 alone have none.
 * @throws NfsError
 */
export async function listExports(options: Omit<ConnectOptions, "path">): Promise<readonly ExportedPath[]> {
  const { host, tls, signal } = options;
  const server = host.includes(":") ? `[${host}]` : host;
  const defaults = requestDefaults(server, "3", options);
  const request = requestOf(defaults, signal === undefined ? {} : { signal });
  const endpoint = { host, sourcePort: "any", ...(tls === undefined ? {} : { tls }) } as const;
  return await exportsOf(endpoint, options.mountPort, defaults, request);
}

const aboutExports: readonly Diagnosis[] = ["not-exported", "no-such-export", "secure-port"];

/**
 * A refusal with what the server itself says that it exports, and to whom: mostly that tells what is wrong. The
 * same error where the refusal is about something else, or the server does not say.
 */
export async function explainRefusal(refusal: unknown, options: ConnectOptions): Promise<unknown> {
  if (!(refusal instanceof NfsError) || !aboutExports.includes(refusal.diagnosis)) return refusal;
  try {
    const exports = await listExports({ ...options, timeoutMs: nfsLimits.explainMsMax });
    const holder = holderOf(options.path, exports);
    const { diagnosis, remedy } =
      holder === undefined ? noMore(refusal) : await findingOf(refusal, holder, options);
    const message = `${refusal.message}. ${holder === undefined ? tellAll(exports) : tellOne(holder)}${remedy}`;
    const fields = { ...refusal, diagnosis };
    return new NfsError(refusal.code, message, fields, { cause: refusal });
  } catch {
    return refusal; // without the list of exports it is told as it came
  }
}

interface Finding {
  readonly diagnosis: Diagnosis;
  readonly remedy: string;
}

const notForUs: Finding = {
  diagnosis: "not-exported",
  remedy: ": see that this machine's address is among them",
};
const otherPort: Finding = {
  diagnosis: "secure-port",
  remedy: ": so it likely wants a source port below 1024; set sourcePort: reserved",
};
const onlyVersion3 = ": so perhaps for version 3 only; do not insist on 4";
const below = ": it admits this machine, so what is missing lies below it; look there with ls";

function noMore({ diagnosis }: NfsError, remedy = ""): Finding {
  return { diagnosis, remedy };
}

async function findingOf(refusal: NfsError, holder: ExportedPath, options: ConnectOptions): Promise<Finding> {
  const { path, sourcePort, versions } = options;
  if (holder.path !== path && (await admits(holder, options))) return noMore(refusal, below);
  // Servers of version 4 hide what is not for us, or not for this port, as if it were not there.
  if (refusal.diagnosis !== "no-such-export") return noMore(refusal);
  if (!isOpen(holder)) return notForUs;
  if (holder.path !== path) return noMore(refusal);
  if (sourcePort === "any" || isPortDenied(refusal.cause)) return otherPort; // else a reserved one was tried
  return noMore(refusal, versions?.includes("3") === false ? onlyVersion3 : "");
}

function isPortDenied(reason: unknown): boolean {
  return reason instanceof NfsError && reason.diagnosis === "reserved-port-denied";
}

/** Whether the export itself can be connected to in the same way. */
async function admits({ path }: ExportedPath, options: ConnectOptions): Promise<boolean> {
  const connecting = connectNfs({ ...options, path, timeoutMs: nfsLimits.explainMsMax });
  const client = await connecting.catch(() => undefined);
  await client?.close();
  return client !== undefined;
}

/** The export that a path lies in: the nearest one. */
function holderOf(path: string, exports: readonly ExportedPath[]): ExportedPath | undefined {
  const holders = exports.filter((each) => isWithin(path, each.path));
  return holders.sort((a, b) => b.path.length - a.path.length)[0];
}

function isWithin(path: string, directory: string): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}

function tellOne(holder: ExportedPath): string {
  return `The server says that it exports ${describe(holder)}`;
}

function tellAll(exports: readonly ExportedPath[]): string {
  if (exports.length === 0) return "The server says that it exports nothing";
  const shown = exports.slice(0, nfsLimits.exportsTold).map(describe).join(", ");
  const more = exports.length - nfsLimits.exportsTold;
  return `The server does not list this path; it exports ${shown}${more > 0 ? ` and ${more} more` : ""}`;
}

function describe(each: ExportedPath): string {
  const more = each.clients.length - nfsLimits.exportsTold;
  const shown = each.clients.slice(0, nfsLimits.exportsTold).join(" ");
  return `${each.path} to ${isOpen(each) ? "everybody" : shown}${more > 0 ? ` and ${more} more` : ""}`;
}

function isOpen({ clients }: ExportedPath): boolean {
  return clients.length === 0 || clients.includes("*");
}
