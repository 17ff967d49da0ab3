import { BerthError, hasCode, isStorageCode } from "../core/errors.ts";
import type { UsageRecord } from "../core/usage-record.ts";
import type { VolumeId } from "../core/volume-id.ts";
import { checkRecord, isThere, readRecord, volumeOf } from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import { notFound } from "./expand.ts";
import { directoryPath, stagedTreePath } from "./layout.ts";
import { nonceOf, type VolumeRecord } from "./record.ts";
import { readUsage } from "./usage/usage-files.ts";
import type { Volume } from "./volume.ts";

/** Whether a volume is as it should be, in a sentence for whoever has to act. */
export interface Condition {
  readonly abnormal: boolean;
  readonly message: string;
}

export interface Inspected {
  /** Undefined where its record cannot be read. */
  readonly volume: Volume | undefined;
  readonly condition: Condition;
}

/** Looks at a volume: its record, its directory, and what it was last measured to take. @throws BerthError `not-found` */
export async function inspectVolume(context: ShareContext, id: VolumeId): Promise<Inspected> {
  try {
    return await inspect(context, id);
  } catch (reason) {
    if (!(reason instanceof BerthError)) throw reason;
    if (reason.code === "failed-precondition") return broken(reason.message);
    if (!isStorageCode(reason.code)) throw reason;
    return broken(`the share cannot be asked: ${reason.message}`);
  }
}

async function inspect(context: ShareContext, id: VolumeId): Promise<Inspected> {
  const { share, owner } = context;
  const record = await readRecord(share, id.name);
  if (record?.deleted !== undefined) throw notFound(context, id);
  if (record === undefined) {
    if (!(await isThere(share, directoryPath(id.name)))) throw notFound(context, id);
    return broken(
      `${share.name}: the directory ${directoryPath(id.name)} is there, but its record is not: restore it`,
    );
  }
  checkRecord(record, id, owner, share.name);
  const problem = await misplacement(context, id, record);
  const volume = volumeOf(id, record, problem === undefined);
  if (problem !== undefined) return { volume, condition: { abnormal: true, message: problem } };
  const usage = await readUsage(share, id.name, nonceOf(record.identity));
  return { volume, condition: ofUsage(usage, record.sizeBytes, context.clock.nowMs()) };
}

/** What is wrong with where the volume's directory is; undefined when it is in its place. */
async function misplacement(
  { share }: ShareContext,
  { name }: VolumeId,
  { identity }: VolumeRecord,
): Promise<string | undefined> {
  const { path } = identity.directory;
  try {
    const { type, fileid } = await share.stat(path);
    if (type !== "directory") return `${share.name}: ${path} is not a directory: put the volume's own back`;
    if (`${fileid}` === identity.directory.fileid) return undefined;
    return (
      `${share.name}: ${path} was replaced: it is not the directory that Berth made ` +
      `(fileid ${fileid}, not ${identity.directory.fileid}): put that one back`
    );
  } catch (reason) {
    if (!hasCode(reason, "storage-no-entry")) throw reason;
  }
  if (await isThere(share, stagedTreePath(name, nonceOf(identity))))
    return `${share.name}: volume ${name} is still being created: repeat CreateVolume`;
  return `${share.name}: the directory ${path} is gone, removed or moved away: put it back, or delete the volume`;
}

function ofUsage(usage: UsageRecord | undefined, sizeBytes: bigint, nowMs: number): Condition {
  if (usage === undefined)
    return { abnormal: false, message: "in its place; its usage was not measured yet" };
  const { usedBytes, usedInodes, measuredMs, approximate } = usage;
  const seconds = Math.max(0, Math.round((nowMs - measuredMs) / 1000));
  const figures =
    `${usedBytes} of ${sizeBytes} bytes used in ${usedInodes} files and directories, ` +
    `measured ${seconds} s ago${approximate ? ", approximately" : ""}`;
  if (usedBytes <= sizeBytes) return { abnormal: false, message: `in its place; ${figures}` };
  return { abnormal: true, message: `larger than its size: ${figures}: expand it, or remove files` };
}

function broken(message: string): Inspected {
  return { volume: undefined, condition: { abnormal: true, message } };
}
