import { BerthError, hasCode } from "../../core/errors.ts";
import type { NfsMountVersion } from "../../share/mount-option-table.ts";
import {
  mergeOptions,
  type NfsOptions,
  optionsIn,
  optionsOfFlags,
  type PlacedOption,
} from "../../share/mount-options.ts";
import type { callNfsNull, nfs3LocksWork, probeNfs, transportOf } from "../../share/nfs-probe.ts";
import { combineFlags, type MountFlags, type MountWish, printFlags } from "../mounts/mount-flags.ts";
import { type NfsSource, nfsSourceText } from "../mounts/mount-source.ts";
import type { Mount } from "../mounts/mount-table.ts";
import type { NodeLimits } from "../node-limits.ts";

/** How the node speaks to NFS servers in user space. */
export interface NfsServers {
  readonly probe: typeof probeNfs;
  readonly callNull: typeof callNfsNull;
  readonly transportOf: typeof transportOf;
  readonly locksWork: typeof nfs3LocksWork;
}

/** With the client of NFS, which a node that has no volumes on exports does not load: it would cost memory. */
export const nfsServers: NfsServers = {
  probe: async (...args) => (await import("../../share/nfs-probe.ts")).probeNfs(...args),
  callNull: async (...args) => (await import("../../share/nfs-probe.ts")).callNfsNull(...args),
  transportOf: async (...args) => (await import("../../share/nfs-probe.ts")).transportOf(...args),
  locksWork: async (...args) => (await import("../../share/nfs-probe.ts")).nfs3LocksWork(...args),
};

/** What a volume's mount shall be, as far as one knows without asking the server. */
export interface NfsWish {
  readonly source: NfsSource;
  /** `server:/share/directory` */
  readonly text: string;
  readonly flags: MountFlags;
  readonly options: NfsOptions;
  /** Of these, those of the request itself. */
  readonly asked: NfsOptions;
}

/** How to mount, as the server has answered. */
export interface NfsPlan {
  /** For mount(8)'s `-o`. */
  readonly options: string;
  /** What stat(2) shows of the directory; undefined where only the kernel may look (Kerberos). */
  readonly fileid: bigint | undefined;
  /** What somebody should look into, although it can be mounted. */
  readonly warning: string | undefined;
}

/** A mount of the kernel's own begins with these. */
const newMount: MountFlags = { restrictions: new Set(), accessTimes: "relatime", directoryTimes: true };

/**
 * Options come in layers, and a later one replaces an earlier one on the same topic: Berth's defaults, the
 * export's in the configuration, the class's `mountOptions`, and the PersistentVolume's mount flags. The person who
 * wrote the last knew the others, or could have.
 * @throws BerthError `invalid-argument`, see `mergeOptions`
 */
export function nfsWish(source: NfsSource, wish: MountWish): NfsWish {
  const asked = [
    optionsIn(source.mountOptions, "of mountOptions (parameter of the class, volumeAttributes of the PV)"),
    optionsOfFlags(wish.mountFlags),
  ];
  const ofExport = `of mountOptions of the export ${source.shareName}`;
  const options = mergeOptions([optionsIn(source.exportOptions, ofExport), ...asked]);
  const text = nfsSourceText(source);
  const flags = combineFlags(newMount, { readOnly: wish.readOnly, options: options.general }, text);
  return { source, text, flags, options, asked: mergeOptions(asked) };
}

/**
 * Asks the server what a mount would find, so that a refusal has a reason and nothing hangs in the kernel.
 * @throws BerthError why a mount would fail
 */
export async function planNfs(
  servers: NfsServers,
  wish: NfsWish,
  limits: NodeLimits,
  signal: AbortSignal,
): Promise<NfsPlan> {
  const { source, options } = wish;
  refuseTls(wish);
  const asked = needsKernel(wish)
    ? await askNull(servers, wish, limits, signal)
    : await ask(servers, wish, limits, signal);
  if (asked.version === "3" && !options.has("nolock") && !locksAreLocal(options)) {
    await checkLocks(servers, wish, limits, signal);
  }
  const merged = mergeOptions([
    ownOptions([
      ...["hard", "nosharecache", `proto=${asked.transport}`],
      ...portOptions(source, asked.version),
      ...sourcePortOptions(source),
    ]),
    ownOptions(options.nfs),
  ]);
  // mount.nfs(8) itself must not wait for a server: who calls comes again.
  return {
    options: [printFlags(wish.flags), ...merged.nfs, `vers=${asked.version}`, "retry=0"].join(","),
    fileid: asked.fileid,
    warning: asked.warning,
  };
}

/** Whether the server of a mount is there, as the kernel's table names it. */
export async function serverAnswers(
  servers: NfsServers,
  mount: Mount,
  limits: NodeLimits,
  signal?: AbortSignal,
): Promise<boolean> {
  const optionOf = (name: string) =>
    mount.superOptions.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
  const host = optionOf("addr");
  const port = optionOf("port");
  if (host === undefined) return false;
  try {
    await servers.callNull({
      host,
      major: optionOf("vers") === "3" ? 3 : 4,
      timeoutMs: limits.pingMsMax,
      ...(port === undefined ? {} : { port: Number(port) }),
      ...(signal && { signal }),
    });
    return true;
  } catch {
    return false; // whatever the reason, nothing is to be had from it
  }
}

/** Options that have been checked, or are our own. */
function ownOptions(options: readonly string[]): PlacedOption[] {
  return options.map((text, index) => ({ text, nth: index + 1, of: "of Berth's own" }));
}

interface Asked {
  readonly version: NfsMountVersion;
  readonly transport: "tcp" | "tcp6";
  readonly fileid: bigint | undefined;
  readonly warning: string | undefined;
}

async function ask(
  servers: NfsServers,
  { source, options }: NfsWish,
  { preflightMsMax }: NodeLimits,
  signal: AbortSignal,
): Promise<Asked> {
  const { location, directory, record, access } = source;
  const port = numberOf(options, "port") ?? access.port;
  const mountPort = numberOf(options, "mountport") ?? access.mountPort;
  return await servers.probe({
    location,
    directory,
    ...(record === undefined ? {} : { record }),
    versions: versionsOf(options.version ?? access.nfsVersion),
    ...(port === undefined ? {} : { port }),
    ...(mountPort === undefined ? {} : { mountPort }),
    ...(access.sourcePort === undefined ? {} : { sourcePort: access.sourcePort }),
    uid: access.uid,
    gid: access.gid,
    timeoutMs: preflightMsMax,
    signal,
  });
}

/** Only whether it is there, and which major version; the minor one mount.nfs(8) finds out. */
async function askNull(
  servers: NfsServers,
  { source, options }: NfsWish,
  { preflightMsMax }: NodeLimits,
  signal: AbortSignal,
): Promise<Asked> {
  const { location, access } = source;
  const port = numberOf(options, "port") ?? access.port;
  const server = {
    host: location.server,
    timeoutMs: preflightMsMax,
    signal,
    ...(port === undefined ? {} : { port }),
  };
  let version = options.version ?? access.nfsVersion ?? "4";
  try {
    await servers.callNull({ ...server, major: version === "3" ? 3 : 4 });
  } catch (error) {
    const open = options.version === undefined && access.nfsVersion === undefined;
    if (!open || !hasCode(error, "storage-unsupported")) throw error;
    version = "3";
    await servers.callNull({ ...server, major: 3 });
  }
  const transport = await servers.transportOf(location, server);
  return { version, transport, fileid: undefined, warning: undefined };
}

/** What our own client cannot speak: Kerberos, TLS of RFC 9289, NFS 4.0. */
function needsKernel({ options }: NfsWish): boolean {
  const security = options.valueOf("sec") ?? "sys";
  const transport = options.valueOf("xprtsec") ?? "none";
  return security !== "sys" || transport !== "none" || options.version === "4.0";
}

function versionsOf(version: NfsMountVersion | undefined): ("4.2" | "4.1" | "3")[] {
  switch (version) {
    case "3":
    case "4.1":
    case "4.2":
      return [version];
    case "4":
    case "4.0":
      return ["4.2", "4.1"];
    case undefined:
      return ["4.2", "4.1", "3"];
  }
}

function portOptions(
  { access: { port, mountPort } }: NfsSource,
  version: NfsMountVersion | undefined,
): string[] {
  return [
    ...(port === undefined ? [] : [`port=${port}`]),
    ...(mountPort === undefined || version !== "3" ? [] : [`mountport=${mountPort}`]),
  ];
}

/** `auto` leaves it to the kernel, which takes a reserved one. */
function sourcePortOptions({ access: { sourcePort } }: NfsSource): string[] {
  if (sourcePort === "reserved") return ["resvport"];
  return sourcePort === "any" ? ["noresvport"] : [];
}

function numberOf(options: NfsOptions, name: string): number | undefined {
  const text = options.valueOf(name);
  return text === undefined ? undefined : Number(text);
}

function locksAreLocal(options: NfsOptions): boolean {
  return options.valueOf("local_lock") === "all";
}

/**
 * mount.nfs(8) would try to start rpc.statd where this process lives: in a container, where it dies with the plugin
 * and the locks of all volumes with it. So that it runs on the host is looked at first.
 */
async function checkLocks(
  servers: NfsServers,
  { text }: NfsWish,
  { pingMsMax }: NodeLimits,
  signal: AbortSignal,
): Promise<void> {
  if (await servers.locksWork(pingMsMax, signal)) return;
  throw new BerthError(
    "failed-precondition",
    `${text}: locks of NFS 3 need rpc.statd on this node, and rpcbind knows of none: ` +
      'start it on the host (systemctl enable --now rpcbind rpc-statd), use NFS 4, or set "nolock" in the ' +
      "class's mountOptions if no two nodes lock the same file",
  );
}

function refuseTls({ source, text, options }: NfsWish): void {
  const secured = (options.valueOf("xprtsec") ?? "none") !== "none";
  if (!source.access.tls || secured) return;
  throw new BerthError(
    "failed-precondition",
    `${text}: the configuration says tls of export ${source.shareName}, which is TLS around the whole connection, and no ` +
      "kernel's NFS client speaks that: where the server and this node's kernel (Linux 6.5) have RPC over TLS, set " +
      "xprtsec=tls in the class's mountOptions; else run a TLS tunnel on each node, and name it as the export's server in " +
      "the nodes' configuration, without tls",
  );
}
