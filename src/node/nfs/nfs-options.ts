import { BerthError } from "../../core/errors.ts";

/**
 * The options that a mount of a volume may have beside the kernel's general ones (nfs(5)). Options of one topic
 * replace each other; a value must match. Whatever is not here is refused: an option that Berth does not know
 * might mount something else, in another place, or in the background.
 */
interface Known {
  readonly topic: string;
  readonly value?: RegExp;
}

const number = /^[0-9]{1,9}$/;
/** 1 to 65535. */
const port = /^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$/;
const label = /^"?[A-Za-z0-9_.:,-]+"?$/;

const known: ReadonlyMap<string, Known> = new Map([
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
  ...values(number, "timeo", "retrans", "rsize", "wsize", "nconnect", "max_connect"),
  ...values(port, "port", "mountport"),
  ...values(number, "acregmin", "acregmax", "acdirmin", "acdirmax", "actimeo"),
  ...values(/^(tcp|tcp6)$/, "proto", "mountproto"),
  ...values(/^3$/, "mountvers"),
  ...values(/^(sys|krb5|krb5i|krb5p)$/, "sec"),
  ...values(/^(none|flock|posix|all)$/, "local_lock"),
  ...values(/^(all|none|pos|positive)$/, "lookupcache"),
  ...values(/^(none|tls|mtls)$/, "xprtsec"),
  ...values(label, "context", "fscontext", "defcontext", "rootcontext"),
]);

/** Names of versions, as nfs(5) has them. */
const versions: Readonly<Record<string, NfsMountVersion>> = {
  3: "3",
  4: "4",
  "4.0": "4.0",
  "4.1": "4.1",
  "4.2": "4.2",
};

const dangers: ReadonlyMap<string, string> = new Map([
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

/** `4` leaves the minor version open. */
export type NfsMountVersion = "3" | "4" | "4.0" | "4.1" | "4.2";

/** One layer of options: a class's, a PersistentVolume's. */
export interface OptionLayer {
  /** How messages name an option of it, which may hold a secret: `mount flag 2`. */
  readonly options: readonly { readonly text: string; readonly position: string }[];
}

/** The options of a mount, layers merged: what stands later replaces what stood earlier on its topic. */
export interface NfsOptions {
  /** As mount(8) takes them, without version. */
  readonly nfs: readonly string[];
  readonly version: NfsMountVersion | undefined;
  /** The kernel's general ones (`ro`, `noexec`, …), in order. */
  readonly general: readonly string[];
  /** The value of an option that has one. */
  readonly valueOf: (name: string) => string | undefined;
  readonly has: (text: string) => boolean;
}

const general = new Set(
  ["ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "atime", "nodiratime"].concat([
    "relatime",
    "strictatime",
  ]),
);
/** Of fstab(5), for programs other than the kernel; PersistentVolumes carry them along. */
const ignored = new Set(["defaults", "_netdev", "nofail", "auto", "noauto"]);

/**
 * @throws BerthError `invalid-argument` for an option that is unknown, dangerous, or contradicts another of its
 * layer; it is named by its position, because options may hold secrets
 */
export function mergeOptions(layers: readonly OptionLayer[]): NfsOptions {
  const merged = new Map<string, string>();
  const generals: string[] = [];
  for (const { options } of layers) {
    const here = new Map<string, { text: string; position: string }>();
    for (const option of options) {
      if (ignored.has(option.text)) continue;
      if (general.has(option.text)) generals.push(option.text);
      else add(here, option);
    }
    for (const [name, { text }] of here) merged.set(name, text);
  }
  const version = merged.get("version");
  merged.delete("version");
  const nfs = [...merged.values()];
  return {
    nfs,
    version: version === undefined ? undefined : versions[version],
    general: generals,
    has: (text) => nfs.includes(text),
    valueOf: (name) => nfs.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1),
  };
}

/** `hard,timeo=600` of a class; a comma within quotes belongs to its option, as in SELinux contexts. */
export function classLayer(text: string): OptionLayer {
  return {
    options: splitOptions(text).map((each, index) => ({
      text: each,
      position: `option ${index} of mountOptions`,
    })),
  };
}

/** The capability's mount flags, each of one option or several. */
export function flagLayer(flags: readonly string[]): OptionLayer {
  const options = flags.flatMap((flag, index) =>
    splitOptions(flag).map((text) => ({ text, position: `mount flag ${index}` })),
  );
  return { options };
}

function splitOptions(text: string): string[] {
  return [...text.matchAll(/(?:"[^"]*"|[^,"])+/g)]
    .map(([option]) => option.trim())
    .filter((option) => option !== "");
}

function add(
  layer: Map<string, { text: string; position: string }>,
  { text, position }: { text: string; position: string },
): void {
  const [topicName, meaning] = meaningOf(text, position);
  const before = layer.get(topicName);
  if (before !== undefined && before.text !== meaning) {
    throw invalid(position, `contradicts ${before.position}`, "leave one of them out");
  }
  layer.set(topicName, { text: meaning, position });
}

/** @returns the topic, and the option as mount(8) takes it (a version: its number) */
function meaningOf(text: string, position: string): [topic: string, meaning: string] {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? undefined : text.slice(equals + 1);
  const danger = dangers.get(name) ?? (text === "proto=udp" ? dangers.get("udp") : undefined);
  if (danger !== undefined) throw invalid(position, danger, "leave it out");
  const version = versionIn(name, value);
  if (version !== undefined) return ["version", version];
  if (text === "tcp") return ["proto", "proto=tcp"];
  const found = known.get(name);
  const fits =
    found !== undefined && (found.value === undefined ? value === undefined : found.value.test(value ?? ""));
  if (found === undefined || !fits) {
    throw invalid(position, "is none that an NFS volume can have", "docs/nodes.md lists those that it can");
  }
  return [found.topic, text];
}

/** `vers=4.1`, `nfsvers=4.1`, `v4.1` */
function versionIn(name: string, value: string | undefined): string | undefined {
  const version =
    name === "vers" || name === "nfsvers"
      ? value
      : value === undefined
        ? /^v(.*)$/.exec(name)?.[1]
        : undefined;
  return version !== undefined && Object.hasOwn(versions, version) ? version : undefined;
}

function invalid(position: string, cause: string, remedy: string): BerthError {
  return new BerthError("invalid-argument", `${position} ${cause}: ${remedy}`);
}

function topic(name: string, ...options: string[]): [string, Known][] {
  return options.map((option) => [option, { topic: name }]);
}

function values(value: RegExp, ...names: string[]): [string, Known][] {
  return names.map((name) => [name, { topic: name, value }]);
}
