import { readFileSync } from "node:fs";
import { BerthError } from "../../core/errors.ts";

/** One mount, as a line of `/proc/self/mountinfo` tells it (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly id: number;
  readonly parentId: number;
  /** `major:minor` of the file system. */
  readonly device: string;
  /** What of the file system is mounted: a path within it, with `//deleted` behind it once removed. */
  readonly root: string;
  readonly mountPoint: string;
  /** Of this mount alone: `ro`, `nosuid`, `relatime`, … */
  readonly options: readonly string[];
  /** `shared:N`, `master:N`, …; empty for a private mount. */
  readonly propagation: readonly string[];
  readonly fsType: string;
  readonly source: string;
  /** Of the file system, whichever mount leads to it. */
  readonly superOptions: readonly string[];
}

/** A directory, whatever path leads to it. */
export interface Location {
  readonly device: string;
  /** Within the file system. */
  readonly root: string;
}

/** What is mounted where, at one instant: the only state that the node plugin has. */
export class MountTable {
  readonly mounts: readonly Mount[];
  readonly #children = new Map<number, Mount[]>();
  readonly #root: Mount;

  constructor(mounts: readonly Mount[]) {
    this.mounts = mounts;
    const ids = new Set(mounts.map((mount) => mount.id));
    // The root's parent is in another namespace, or itself.
    const root = mounts.find(
      (mount) => mount.mountPoint === "/" && (!ids.has(mount.parentId) || mount.parentId === mount.id),
    );
    if (root === undefined) throw new BerthError("internal", "the kernel's mount table has no root");
    this.#root = root;
    for (const mount of mounts) if (mount !== root) this.#childrenOf(mount.parentId).push(mount);
  }

  /** @throws BerthError `internal` for a line that is not of the documented form */
  static parse(text: string): MountTable {
    return new MountTable(
      text
        .split("\n")
        .filter((line) => line !== "")
        .map(parseLine),
    );
  }

  /** The mount that one sees at `path`, if `path` is a mount point: the topmost of several. */
  at(path: string): Mount | undefined {
    const mount = this.holding(path);
    return mount.mountPoint === path ? mount : undefined;
  }

  /** The mount that `path` lies on. Paths are absolute and resolved: no symbolic link, `.` or `..`. */
  holding(path: string): Mount {
    let mount = this.#root;
    for (let next = this.#step(mount, path); next !== undefined; next = this.#step(mount, path)) mount = next;
    return mount;
  }

  /** Which directory of which file system `path` is: found without touching it. */
  locate(path: string): Location {
    const mount = this.holding(path);
    const rest = mount.mountPoint === "/" ? path : path.slice(mount.mountPoint.length);
    return { device: mount.device, root: joinRoot(mount.root, rest) };
  }

  /** All mounts of one directory. */
  of(location: Location): Mount[] {
    return this.mounts.filter((mount) => mount.device === location.device && mount.root === location.root);
  }

  /** All mounts at mount points below `path`, seen or hidden. */
  below(path: string): Mount[] {
    return this.mounts.filter((mount) => mount.mountPoint !== path && isWithin(mount.mountPoint, path));
  }

  /** The mount that a walk from `mount` towards `path` enters first: those further on are hidden by it. */
  #step(mount: Mount, path: string): Mount | undefined {
    let first: Mount | undefined;
    for (const child of this.#children.get(mount.id) ?? []) {
      if (!isWithin(path, child.mountPoint)) continue;
      if (first === undefined || child.mountPoint.length <= first.mountPoint.length) first = child;
    }
    return first;
  }

  #childrenOf(id: number): Mount[] {
    const children = this.#children.get(id) ?? [];
    this.#children.set(id, children);
    return children;
  }
}

export type MountTableReader = () => Promise<MountTable>;

/**
 * The table of this process's mount namespace. The kernel answers from its memory, whatever hangs elsewhere, so
 * it is read synchronously: handing each of its reads to a thread would cost several times what they take.
 */
export const readMountTable: MountTableReader = async () => currentMountTable();

export function currentMountTable(): MountTable {
  return MountTable.parse(readFileSync("/proc/self/mountinfo", "utf8"));
}

/** True for `directory` itself and for everything below it. */
export function isWithin(path: string, directory: string): boolean {
  if (directory === "/" || path === directory) return true;
  return path.startsWith(directory) && path.charAt(directory.length) === "/";
}

function joinRoot(root: string, rest: string): string {
  if (rest === "" || rest === "/") return root;
  return root === "/" ? rest : root + rest;
}

/** `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue` */
function parseLine(line: string): Mount {
  const words = line.split(" ");
  const dash = words.indexOf("-", 6);
  const [id, parentId, device, root, mountPoint, options] = words;
  const [fsType, source, superOptions] = words.slice(dash + 1);
  if (dash < 0 || superOptions === undefined || options === undefined) throw malformed(line);
  if (device === undefined || root === undefined || mountPoint === undefined) throw malformed(line);
  if (fsType === undefined || source === undefined) throw malformed(line);
  return {
    id: parseId(id, line),
    parentId: parseId(parentId, line),
    device,
    root: unescapeWord(root),
    mountPoint: unescapeWord(mountPoint),
    options: options.split(","),
    propagation: words.slice(6, dash),
    fsType: unescapeWord(fsType),
    source: unescapeWord(source),
    superOptions: superOptions.split(",").map(unescapeWord),
  };
}

function parseId(word: string | undefined, line: string): number {
  if (word === undefined || !/^\d+$/.test(word)) throw malformed(line);
  return Number(word);
}

/** Space, tab, newline, backslash and `#` stand as three octal digits behind a backslash. */
function unescapeWord(word: string): string {
  if (!word.includes("\\")) return word; // nearly every one
  return word.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function malformed(line: string): BerthError {
  return new BerthError(
    "internal",
    `a line of the kernel's mount table cannot be read: ${JSON.stringify(line)}`,
  );
}
