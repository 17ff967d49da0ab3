/** A line of a mount table (proc_pid_mountinfo(5)). */
export interface Mount {
  /** `major:minor` of the file system: two mounts with the same are of one file system. */
  readonly device: string;
  /** Which directory of that file system is mounted. */
  readonly root: string;
  readonly path: string;
  readonly fileSystem: string;
  readonly source: string;
  /** Of the file system, as it is mounted: `rw,vers=4.2,…`. */
  readonly options: string;
}

/** Lines that are no mounts are left out: the kernel writes none. */
export function parseMountTable(text: string): Mount[] {
  return text.split("\n").flatMap((line) => parseMount(line) ?? []);
}

/** Whether two mounts show the same directory. */
export function sameDirectory(one: Mount, other: Mount): boolean {
  return one.device === other.device && one.root === other.root;
}

/** `36 35 98:0 /root /path rw,noatime shared:1 - ext3 /dev/root rw` */
function parseMount(line: string): Mount | undefined {
  const [left, right] = line.split(" - ", 2);
  const [, , device, root, path] = left?.split(" ") ?? [];
  const [fileSystem, source, options = ""] = right?.split(" ") ?? [];
  if (device === undefined || root === undefined || path === undefined) return undefined;
  if (fileSystem === undefined || source === undefined) return undefined;
  return {
    ...{ device, fileSystem, options },
    root: unescaped(root),
    path: unescaped(path),
    source: unescaped(source),
  };
}

/** The kernel writes space, tab, newline and backslash as octal. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
