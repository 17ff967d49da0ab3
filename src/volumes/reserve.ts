import { randomBytes } from "node:crypto";
import { hasCode } from "../core/errors.ts";
import type { Share } from "../share/share.ts";
import { join, type SharePath, shareRoot } from "../share/share-path.ts";
import { ensureDirectory, entriesOf, ignoreAbsent, isThere } from "./catalog.ts";
import { reservePath, volumesPath } from "./layout.ts";

/**
 * Space that is set aside. A deletion makes a file and a directory before it gives anything back: on a share that is
 * full it would be refused for ever. So there are files of no use in `.berth/reserve`, each with room for more than
 * that, and a deletion that finds no space removes one.
 */
const filesMax = 16;
/** XFS takes space for inodes in pieces of this size. */
const fileBytes = 65_536;
/** Of the share, at most this part is set aside: a small one keeps its space. */
const partOfShare = 1000n;
/** As many files as one deletion takes: a file system that has run out of inodes gets one back with each. */
const takenMax = 4;

const full = ["storage-no-space", "storage-quota"] as const;

/** Runs what gives space back, and can be run again; without space, once more for each file of the reserve that it takes. */
export async function withReserve<T>(share: Share, work: () => Promise<T>): Promise<T> {
  for (let taken = 0; ; taken += 1) {
    try {
      return await work();
    } catch (reason) {
      if (!hasCode(reason, ...full) || taken === takenMax || !(await takeOne(share))) throw reason;
    }
  }
}

/** Makes what is missing of the reserve, as far as there is space. */
export async function fillReserve(share: Share): Promise<void> {
  const names = (await entriesOf(share, reservePath)).map(({ name }) => name);
  if (names.length >= filesMax || !(await isThere(share, volumesPath))) return;
  const { totalBytes } = await share.space(shareRoot);
  const files = Math.min(filesMax, Number(totalBytes / partOfShare / BigInt(fileBytes)));
  if (names.length >= files) return;
  await ensureDirectory(share, reservePath);
  for (let index = 0; index < files; index += 1) {
    const isMade = names.includes(`${index}`) || (await madeFile(share, join(reservePath, `${index}`)));
    if (!isMade) return;
  }
}

/** @returns false when there is no space for it */
async function madeFile(share: Share, path: SharePath): Promise<boolean> {
  try {
    await share.createFile(path, randomBytes(fileBytes)); // which no file system makes smaller
    return true;
  } catch (reason) {
    if (hasCode(reason, "storage-exists")) return true; // another process made it
    if (!hasCode(reason, ...full)) throw reason;
    await share.removeFile(path).catch(ignoreAbsent); // there in part, perhaps
    return false;
  }
}

/** @returns whether there was any left */
async function takeOne(share: Share): Promise<boolean> {
  for (const { name } of await entriesOf(share, reservePath)) {
    try {
      await share.removeFile(join(reservePath, name));
      return true;
    } catch (reason) {
      if (!hasCode(reason, "storage-no-entry")) throw reason; // another one took it
    }
  }
  return false;
}
