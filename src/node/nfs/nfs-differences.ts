import type { NfsOptions } from "../../share/mount-options.ts";

/** How the kernel's table shows the options of an NFS mount (fs/nfs/super.c, `nfs_show_mount_options`). */
class Shown {
  readonly #options: readonly string[];
  readonly isVersion3: boolean;

  constructor(superOptions: readonly string[]) {
    this.#options = superOptions;
    this.isVersion3 = this.valueOf("vers") === "3";
  }

  has(option: string): boolean {
    return this.#options.includes(option);
  }

  valueOf(name: string): string | undefined {
    return this.#options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
  }
}

/** Whether the kernel has it as asked for, or does not let one see. @param value `""` for an option that has none */
type Agrees = (shown: Shown, value: string, asked: NfsOptions) => boolean;

/**
 * What can be seen of a mount's own options. Not here: `nconnect` and `max_connect`, which belong to the connection
 * that all mounts of a server share, so the first of them decides; and what the kernel shows not at all, not in
 * every version, or in words of its own (`fsc`, `softreval`, SELinux contexts, the ports and protocol of MOUNT).
 */
const agreements: ReadonlyMap<string, Agrees> = new Map<string, Agrees>([
  ["hard", (shown) => shown.has("hard")],
  ["soft", (shown) => shown.has("soft")],
  ["softerr", (shown) => shown.has("softerr")],
  ...flag("ac", "noac"),
  ...flag("cto", "nocto"),
  ...flag("rdirplus", "nordirplus"),
  ...flag("resvport", "noresvport"),
  // NFS 4 has locks and access control lists of its own, and drops these.
  ...flag("lock", "nolock", (shown) => !shown.isVersion3),
  ...flag("acl", "noacl", (shown) => !shown.isVersion3),
  ["sync", (shown) => shown.has("sync")],
  ["async", (shown) => !shown.has("sync") || shown.has("noac")], // which implies it
  // The kernel gives up after ten minutes at most, and takes 0 for its default.
  ["timeo", (shown, value) => isZero(value) || shown.valueOf("timeo") === `${Math.min(Number(value), 6000)}`],
  ["retrans", (shown, value) => isZero(value) || Number(shown.valueOf("retrans")) === Number(value)],
  // Negotiated: the server may have lowered them, and the kernel takes 4096 for what is too little.
  ...["rsize", "wsize"].map(atMost),
  // NFS 3 shows the port only where it was not asked of rpcbind.
  ["port", (shown, value) => (shown.valueOf("port") ?? (shown.isVersion3 ? value : "2049")) === value],
  ["acregmin", cached("acregmin", 3)],
  ["acregmax", cached("acregmax", 60)],
  ["acdirmin", cached("acdirmin", 30)],
  ["acdirmax", cached("acdirmax", 60)],
  [
    "actimeo",
    (...all) =>
      [cached("acregmin", 3), cached("acregmax", 60), cached("acdirmin", 30), cached("acdirmax", 60)].every(
        (agrees) => agrees(...all),
      ),
  ],
  ["proto", (shown, value) => shown.valueOf("proto") === value],
  ["sec", (shown, value) => shown.valueOf("sec") === value],
  ["xprtsec", (shown, value) => (shown.valueOf("xprtsec") ?? "none") === value],
  // `lock` and `nolock` decide it too, and which of the two counts is a matter of their order.
  [
    "local_lock",
    (shown, value, asked) =>
      !shown.isVersion3 || ["lock", "nolock"].some(asked.has) || shown.valueOf("local_lock") === value,
  ],
  [
    "lookupcache",
    (shown, value) => (shown.valueOf("lookupcache") ?? "all") === value.replace("positive", "pos"),
  ],
]);

/**
 * The first option that a mount has otherwise than a request asks for; undefined where none is seen to differ. What
 * is not asked for may be as it is, and the same request as that of the mount never differs.
 * @param superOptions as the kernel's table shows them
 */
export function differingOption(asked: NfsOptions, superOptions: readonly string[]): string | undefined {
  const shown = new Shown(superOptions);
  const version = shown.valueOf("vers") ?? "";
  const isVersion = asked.version === undefined || [version, version.split(".")[0]].includes(asked.version);
  if (!isVersion) return "vers";
  return asked.nfs
    .map((text): [name: string, value: string] => {
      const [name = "", value = ""] = text.split("=", 2);
      return [name, value];
    })
    .find(([name, value]) => agreements.get(name)?.(shown, value, asked) === false)?.[0];
}

/** Two names for one flag, of which the kernel shows the second. */
function flag(
  off: string,
  on: string,
  isUnseen: (shown: Shown) => boolean = () => false,
): [string, Agrees][] {
  return [
    [off, (shown) => isUnseen(shown) || !shown.has(on)],
    [on, (shown) => isUnseen(shown) || shown.has(on)],
  ];
}

function atMost(name: string): [string, Agrees] {
  return [
    name,
    (shown, value) => isZero(value) || Number(shown.valueOf(name) ?? 0) <= Math.max(Number(value), 4096),
  ];
}

/** Beyond this many seconds the kernel's 32 bits of ticks overflow. */
const cacheSecondsMax = 4_000_000;

/** A time of the attribute cache, which the kernel shows where it is not the default. */
function cached(name: string, defaultSeconds: number): Agrees {
  return (shown, value, asked) => {
    const isDecidedElsewhere =
      asked.has("noac") ||
      (asked.valueOf("actimeo") !== undefined && asked.nfs.some((text) => /^ac(reg|dir)m/.test(text)));
    if (isDecidedElsewhere || Number(value) > cacheSecondsMax) return true;
    return Number(shown.valueOf(name) ?? defaultSeconds) === Number(value);
  };
}

function isZero(value: string): boolean {
  return Number(value) === 0;
}
