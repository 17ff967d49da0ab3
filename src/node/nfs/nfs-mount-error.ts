import { BerthError, type ErrorCode } from "../../core/errors.ts";
import type { Reply } from "../helpers/helper-script.ts";
import type { NfsOptions } from "./nfs-options.ts";

/** What mount(8) and mount.nfs(8) say, in the C locale, and what its reader can do about it. */
const sayings: readonly (readonly [says: RegExp, code: ErrorCode, remedy: string])[] = [
  [
    /need a \/sbin\/mount\.<type> helper|unknown filesystem type 'nfs|mount\.nfs4?: not found/,
    "failed-precondition",
    "this node has no mount.nfs, or its kernel no NFS client: install the package nfs-common (Debian) or nfs-utils (Red Hat)",
  ],
  [
    /No such device/,
    "failed-precondition",
    "this node's kernel has no NFS client: load its modules (modprobe nfs)",
  ],
  [
    /rpc\.statd is not running/,
    "failed-precondition",
    'locks of NFS 3 need rpc.statd: start it on the host, use NFS 4, or set "nolock" in the class\'s mountOptions',
  ],
  [
    /access denied by server|Operation not permitted|Permission denied/,
    "permission-denied",
    "the server admits Berth but not this mount: compare the security flavours (sec) and addresses of the export with this node's",
  ],
  [
    /No such file or directory/,
    "not-found",
    "the directory is not there: the volume was deleted, or the export is another one",
  ],
  [
    /incorrect mount option|Invalid argument|unsupported option/,
    "invalid-argument",
    "this node's kernel does not know one of the mount options: see its log",
  ],
  [
    /Protocol not supported|requested NFS version or transport protocol is not supported/,
    "failed-precondition",
    "the server does not serve this version of NFS to the kernel's client, or (for NFS 3) not by TCP",
  ],
];

/** With these the same words mean something else; the kernel has one for all that is missing. */
const unclear =
  /access denied by server|Operation not permitted|Permission denied|Invalid argument|incorrect mount option|unsupported option/;

const tlsRemedy =
  "a mount with xprtsec needs a kernel with RPC over TLS (Linux 6.5) and tlshd (package ktls-utils) on this node, and " +
  "a server that admits it (xprtsec in exports(5)); else leave xprtsec out and run a TLS tunnel on the node";
const kerberosRemedy =
  "a mount with Kerberos needs rpc.gssd, a keytab (/etc/krb5.keytab) and the kernel module rpcsec_gss_krb5 on this node, " +
  "and an export that allows the flavour";

/**
 * The error of an NFS mount that failed although the server had admitted Berth; undefined for what is not known.
 * @param source `server:/path`
 * @param options of the mount
 */
export function nfsMountError(
  { exitCode, output }: Reply,
  source: string,
  options: NfsOptions,
): BerthError | undefined {
  const needed = [
    ...((options.valueOf("xprtsec") ?? "none") === "none" ? [] : [tlsRemedy]),
    ...((options.valueOf("sec") ?? "sys") === "sys" ? [] : [kerberosRemedy]),
  ].map((remedy): (typeof sayings)[number] => [unclear, "failed-precondition", remedy]);
  const found = [...needed, ...sayings].find(([says]) => says.test(output));
  if (found === undefined) return undefined;
  const [, code, remedy] = found;
  return new BerthError(code, `mounting ${source} failed: ${remedy}`, { cause: { exitCode, output } });
}

export function saysStale({ output }: Reply): boolean {
  return output.includes("Stale file handle");
}
