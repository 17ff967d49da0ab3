import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { errnoOf } from "./errno.ts";

interface Mount {
  readonly type: string;
  /** `254:0` */
  readonly device: string;
}

/**
 * Whether the file system of an open directory keeps the order of all changes of names and attributes across a
 * power cut, so that a later commit of its journal covers everything before it. Where that cannot be told, it does not.
 *
 * - ext3 and ext4 with a journal: all changes go into one running transaction, and transactions are written one after
 *   the other (Documentation/filesystems/ext4/journal.rst). Without a journal each inode is written by itself.
 * - XFS: all changes go into one checkpoint of its log, and those reach the disk in order
 *   (Documentation/filesystems/xfs/xfs-delayed-logging-design.rst).
 * - tmpfs: nothing survives.
 */
export function keepsOrder(directory: number): boolean {
  const mount = mountOf(directory);
  switch (mount?.type) {
    case "tmpfs":
    case "xfs":
      return true;
    case "ext3":
    case "ext4":
      return hasJournal(mount.device);
    default:
      return false;
  }
}

/** The mount that it was opened through; undefined for one of another mount namespace. */
function mountOf(directory: number): Mount | undefined {
  const [, id] = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${directory}`, "utf8")) ?? [];
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const fields = lines.map((line) => line.split(" ")).find(([mountId]) => mountId === id);
  // After any number of optional fields comes a dash, then the type (proc_pid_mountinfo(5)).
  const [device, type] = [fields?.[2], fields?.[fields.indexOf("-") + 1]];
  return device === undefined || type === undefined ? undefined : { type, device };
}

/** A journal in the file system itself is listed as `<device>-<inode>` (fs/jbd2/journal.c, jbd2_journal_init_inode). */
function hasJournal(device: string): boolean {
  try {
    const name = basename(readlinkSync(`/sys/dev/block/${device}`));
    return readdirSync("/proc/fs/jbd2").some(
      (journal) => journal.replace(/-\d+$/, "") === name && journal !== name,
    );
  } catch (reason) {
    if (errnoOf(reason) === undefined) throw reason;
    return false; // it is not shown here
  }
}
