import { execFileSync } from "node:child_process";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const sizeBytes = 2 ** 31;

/**
 * A new ext4, in a file of `directory`: as a node's own, with a journal and nothing on it. Where the repository
 * lies, what was deleted minutes ago may count: an ext4 without a journal does not use its inodes again for a
 * while, and looks at each of them for every file that it makes.
 * @returns where it is mounted, for as long as the sandbox lives
 */
export function mountDisk(directory: string): string {
  const [image, mountPoint] = [join(directory, "disk"), join(directory, "on-disk")];
  mkdirSync(mountPoint);
  writeFileSync(image, "");
  truncateSync(image, sizeBytes);
  execFileSync("mkfs", ["-t", "ext4", "-q", image]);
  execFileSync("mount", ["-o", "loop", image, mountPoint]);
  return mountPoint;
}

/** `ext4` */
export function fileSystemOf(path: string): string {
  return execFileSync("findmnt", ["-n", "-o", "FSTYPE", "-T", path]).toString().trim();
}
