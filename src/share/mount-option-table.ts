/** An option that a mount of a volume may have. */
export interface KnownOption {
  /** `general`: the kernel's, of every mount. `ignored`: of fstab(5), for programs other than the kernel. */
  readonly kind: "nfs" | "general" | "ignored";
  /** Options of one topic replace each other. */
  readonly topic: string;
  /** Undefined: it has no value. */
  readonly value?: Values;
  /** What it is another name for. */
  readonly meaning?: string;
}

/** The values that an option can have, and how messages tell them. */
interface Values {
  readonly fit: (value: string) => boolean;
  readonly help: string;
}

/** `4` leaves the minor version open. */
export const nfsMountVersions = ["3", "4", "4.0", "4.1", "4.2"] as const;
export type NfsMountVersion = (typeof nfsMountVersions)[number];

const number: Values = {
  fit: (value) => /^[0-9]{1,9}$/.test(value),
  help: "a whole number of at most 9 digits",
};
const port: Values = {
  fit: (value) => /^[1-9][0-9]{0,4}$/.test(value) && Number(value) <= 65_535,
  help: "a port from 1 to 65535",
};
const label: Values = {
  fit: (value) => /^("[A-Za-z0-9_.:,-]{1,255}"|[A-Za-z0-9_.:-]{1,255})$/.test(value),
  help: 'an SELinux context, in quotes if it has a comma: "system_u:object_r:container_file_t:s0:c1,c2"',
};

/**
 * Of nfs(5) and mount(8). Whatever is not here is refused: an option that Berth does not know might mount
 * something else, in another place, or in the background.
 */
export const knownOptions: ReadonlyMap<string, KnownOption> = new Map([
  ...topic("recovery", "hard", "soft", "softerr"),
  ...topic("revalidation", "softreval", "nosoftreval"),
  ...topic("locks", "lock", "nolock"),
  ...topic("attribute cache", "ac", "noac"),
  ...topic("close-to-open", "cto", "nocto"),
  ...topic("access control lists", "acl", "noacl"),
  ...topic("readdir", "rdirplus", "nordirplus"),
  ...topic("source port", "resvport", "noresvport"),
  ...topic("migration", "migration", "nomigration"),
  ...topic("local cache", "fsc", "nofsc"),
  ...topic("trunking", "trunkdiscovery", "notrunkdiscovery"),
  ...topic("writes", "sync", "async"),
  ...topic("sharing", "nosharecache"),
  ...topic("waiting", "fg"),
  ...topic("signals", "intr", "nointr"),
  ...withValue(number, "timeo", "retrans", "rsize", "wsize", "nconnect", "max_connect"),
  ...withValue(port, "port", "mountport"),
  ...withValue(number, "acregmin", "acregmax", "acdirmin", "acdirmax", "actimeo"),
  ...withValue(oneOf("tcp", "tcp6"), "proto", "mountproto"),
  ["tcp", { kind: "nfs", topic: "proto", meaning: "proto=tcp" }],
  ...withValue(oneOf("3"), "mountvers"),
  ...withValue(oneOf("sys", "krb5", "krb5i", "krb5p"), "sec"),
  ...withValue(oneOf("none", "flock", "posix", "all"), "local_lock"),
  ...withValue(oneOf("all", "none", "pos", "positive"), "lookupcache"),
  ...withValue(oneOf("none", "tls", "mtls"), "xprtsec"),
  ...withValue(label, "context", "fscontext", "defcontext", "rootcontext"),
  ...withValue(oneOf(...nfsMountVersions), "vers"),
  ["nfsvers", { kind: "nfs", topic: "vers", value: oneOf(...nfsMountVersions) }],
  ...nfsMountVersions.map((version): [string, KnownOption] => [
    `v${version}`,
    { kind: "nfs", topic: "vers", meaning: `vers=${version}` },
  ]),
  ...ofKind("general", "ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec"),
  ...ofKind("general", "noatime", "atime", "nodiratime", "relatime", "strictatime"),
  ...ofKind("ignored", "defaults", "_netdev", "nofail", "auto", "noauto"),
]);

/** Options that exist, and that no mount of a volume may have: why. */
export const dangers: ReadonlyMap<string, string> = new Map([
  [
    "sharecache",
    "would give all volumes of a server one superblock, so that a forced unmount of one breaks the others",
  ],
  ["bg", "would mount in the background, after the call has been answered"],
  ...["addr", "clientaddr", "mountaddr", "mounthost"].map(
    (name) => [name, "would mount from another address than the server's, which was asked first"] as const,
  ),
  ...["remount", "bind", "rbind", "move"].map(
    (name) => [name, "would change another mount than the volume's"] as const,
  ),
  ["retry", "is not needed: Kubernetes tries again"],
  ["udp", "is no transport for NFS on today's networks: it loses data"],
]);

function topic(name: string, ...options: string[]): [string, KnownOption][] {
  return options.map((option) => [option, { kind: "nfs", topic: name }]);
}

function withValue(value: Values, ...names: string[]): [string, KnownOption][] {
  return names.map((name) => [name, { kind: "nfs", topic: name, value }]);
}

function ofKind(kind: "general" | "ignored", ...names: string[]): [string, KnownOption][] {
  return names.map((name) => [name, { kind, topic: name }]);
}

function oneOf(...values: string[]): Values {
  const last = values.at(-1) ?? "";
  const help = values.length === 1 ? last : `${values.slice(0, -1).join(", ")} or ${last}`;
  return { fit: (value) => values.includes(value), help };
}
