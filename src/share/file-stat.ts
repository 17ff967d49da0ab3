import type { BigIntStats, Dirent, Stats } from "node:fs";
import type { FileStat, ShareEntry } from "./share.ts";

/** Numbers or bigints as a share tells them. */
export function fileStat(stat: Stats | BigIntStats): FileStat {
  return {
    type: typeOf(stat),
    fsid: BigInt(stat.dev),
    fileid: BigInt(stat.ino),
    mode: modeOf(stat),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    sizeBytes: BigInt(stat.size),
    modifiedMs: Math.floor(Number(stat.mtimeMs)),
  };
}

export const modeOf = ({ mode }: Stats | BigIntStats): number => Number(mode) & 0o7777;

function typeOf(thing: Stats | BigIntStats | Dirent<string | Buffer>): FileStat["type"] {
  if (thing.isDirectory()) return "directory";
  if (thing.isFile()) return "file";
  return thing.isSymbolicLink() ? "symlink" : "other";
}

export function* entriesOf(listing: Iterable<Dirent<string | Buffer>>): Iterable<ShareEntry> {
  for (const entry of listing) {
    const name = utf8Name(entry);
    if (name !== undefined) yield { name, type: typeOf(entry) };
  }
}

/** Listings give names as bytes (see `listOpen`). */
function utf8Name(entry: Dirent<string | Buffer>): string | undefined {
  const bytes = Buffer.from(entry.name);
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) ? text : undefined;
}
