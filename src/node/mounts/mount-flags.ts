import { assert } from "../../core/assert.ts";
import { BerthError } from "../../core/errors.ts";
import { checkGeneralOptions, type PlacedOption, placeOf } from "../../share/mount-options.ts";
import type { Mount } from "./mount-table.ts";

/** What a mount may forbid. A mount of a mount forbids at least as much. */
const restrictions = ["ro", "nosuid", "nodev", "noexec", "nosymfollow"] as const;
type Restriction = (typeof restrictions)[number];

const accessTimes = ["noatime", "relatime", "strictatime"] as const;
type AccessTimes = (typeof accessTimes)[number];

/** The flags of one mount, all of them: two mounts with the same behave the same. */
export interface MountFlags {
  readonly restrictions: ReadonlySet<Restriction>;
  readonly accessTimes: AccessTimes;
  readonly directoryTimes: boolean;
}

/** What a caller wants of a mount; what it leaves open stays as it is on what is mounted. */
interface Wish {
  restrictions: Map<Restriction, { wanted: boolean; by: string }>;
  accessTimes?: AccessTimes;
  directoryTimes?: boolean;
}

const wishes: Readonly<Record<string, { restriction: Restriction; wanted: boolean }>> = {
  ro: { restriction: "ro", wanted: true },
  rw: { restriction: "ro", wanted: false },
  nosuid: { restriction: "nosuid", wanted: true },
  suid: { restriction: "nosuid", wanted: false },
  nodev: { restriction: "nodev", wanted: true },
  dev: { restriction: "nodev", wanted: false },
  noexec: { restriction: "noexec", wanted: true },
  exec: { restriction: "noexec", wanted: false },
};

/** How a volume is to be mounted. */
export interface MountWish {
  /** From the access mode, or the caller's `readonly`. */
  readonly readOnly: boolean;
  /** The capability's mount flags, in order. */
  readonly mountFlags: readonly string[];
}

/** Of that, what is about every mount of the kernel's. */
export interface FlagWish {
  readonly readOnly: boolean;
  /** In order; the last of two that contradict counts. */
  readonly options: readonly PlacedOption[];
}

/** The flags that a mount has, from the kernel's table. */
export function flagsOf(mount: Mount): MountFlags {
  const has = (option: string) => mount.options.includes(option);
  return {
    restrictions: new Set(restrictions.filter(has)),
    accessTimes: has("noatime") ? "noatime" : has("relatime") ? "relatime" : "strictatime",
    directoryTimes: !has("nodiratime"),
  };
}

/**
 * The flags of a new mount of what lies on `inherited`. They are named in full to mount(8), because
 * its versions differ in what they keep of the source's own (2.38 drops `nosuid` at `bind,ro`).
 * @param source how messages name what is mounted: `share default`
 * @throws BerthError `invalid-argument` for an option that a bind mount cannot have, `failed-precondition` for one
 * that would lift a restriction of the source
 */
export function combineFlags(inherited: MountFlags, wish: FlagWish, source: string): MountFlags {
  const wanted = parseWish(wish);
  const combined = new Set(inherited.restrictions);
  for (const [restriction, { wanted: forbid, by }] of wanted.restrictions) {
    if (forbid) combined.add(restriction);
    else if (combined.has(restriction)) throw tooStrict(source, restriction, by);
  }
  return {
    restrictions: combined,
    accessTimes: wanted.accessTimes ?? inherited.accessTimes,
    directoryTimes: wanted.directoryTimes ?? inherited.directoryTimes,
  };
}

export function equalFlags(a: MountFlags, b: MountFlags): boolean {
  return printFlags(a) === printFlags(b);
}

/** As mount(8) takes them: `ro,nosuid,relatime`. */
export function printFlags(flags: MountFlags): string {
  return [
    flags.restrictions.has("ro") ? "ro" : "rw",
    ...restrictions.filter((restriction) => restriction !== "ro" && flags.restrictions.has(restriction)),
    flags.accessTimes,
    ...(flags.directoryTimes ? [] : ["nodiratime"]),
  ].join(",");
}

function parseWish({ readOnly, options }: FlagWish): Wish {
  checkGeneralOptions(options);
  const wish: Wish = { restrictions: new Map([["ro", { wanted: false, by: "an access mode that writes" }]]) };
  for (const option of options) addOption(wish, option);
  if (readOnly) wish.restrictions.set("ro", { wanted: true, by: "a read-only access mode" });
  return wish;
}

function addOption(wish: Wish, option: PlacedOption): void {
  const { text } = option;
  const restriction = wishes[text];
  const times = accessTimes.find((name) => name === text);
  if (restriction !== undefined)
    wish.restrictions.set(restriction.restriction, { ...restriction, by: placeOf(option) });
  else if (times !== undefined) wish.accessTimes = times;
  else if (text === "atime")
    wish.accessTimes = "relatime"; // mount(8): the kernel's default
  else {
    assert(text === "nodiratime", `${text} is a general option without a meaning`);
    wish.directoryTimes = false;
  }
}

function tooStrict(source: string, restriction: Restriction, by: string): BerthError {
  return new BerthError(
    "failed-precondition",
    `${source} is mounted ${restriction} on this node, against ${by}: ` +
      `remount it without ${restriction}, or ask for ${restriction} too`,
  );
}
