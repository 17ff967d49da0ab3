import { hasCode } from "../../core/errors.ts";
import type { UsageRecord } from "../../core/usage-record.ts";
import type { VolumeName } from "../../core/volume-id.ts";
import type { Share, Space } from "../../share/share.ts";
import { type SharePath, shareRoot } from "../../share/share-path.ts";
import { type ExportRecord, readExportRecord } from "./export-record.ts";
import type { VolumeUsage } from "./volume-stats.ts";

/** A volume on an export, as the user-space client finds it: the mount is never touched. */
export interface ExportStatsRequest {
  readonly volumeId: string;
  /** The export, by the user-space client; it is the caller's to keep and to close. */
  readonly share: Share;
  /** The volume's directory, relative to the export; where there is a record, that one says. */
  readonly directory: SharePath;
  /** Under which name its record lies; undefined for a volume that Berth did not make. */
  readonly recordName: VolumeName | undefined;
  /** That it lives with its pod: nobody asked for a size, and the one in its record is a default. */
  readonly isInline?: boolean;
}

/** What is known of one volume, and where from. */
export interface ExportFigures {
  readonly usage: VolumeUsage | undefined;
  readonly abnormal: boolean;
  /** The source of the figures and their age, or what is wrong. */
  readonly message: string;
}

/** A volume's record; without a size where nobody asked for one. */
type Known = Omit<ExportRecord, "sizeBytes"> & { readonly sizeBytes: bigint | undefined };

/**
 * The figures of one volume, never silently those of the whole share:
 *
 * 1. where the server has a limit on the directory, what it says of that;
 * 2. else what the controller measured last, within the volume's size and what the share leaves;
 * 3. of a volume that Berth knows nothing of, the share's, and the message says so.
 */
export async function exportFigures(
  request: ExportStatsRequest,
  nowMs: number,
  signal: AbortSignal,
): Promise<ExportFigures> {
  const { share, recordName, isInline = false } = request;
  let { directory } = request;
  try {
    const found = recordName === undefined ? undefined : await readExportRecord(share, recordName, signal);
    const record = found && isInline ? { ...found, sizeBytes: undefined } : found;
    directory = record?.directory ?? directory;
    const [ofShare, ofVolume, { fileid }] = await Promise.all([
      share.space(shareRoot, signal),
      share.space(directory, signal),
      share.stat(directory, signal),
    ]);
    if (record !== undefined && fileid !== record.fileid) {
      return wrong(`${share.name}: ${directory} was replaced: it is not the directory that Berth made`);
    }
    if (differ(ofShare.totalBytes, ofVolume.totalBytes)) {
      const hasInodeLimit = differ(ofShare.totalInodes, ofVolume.totalInodes);
      return byQuota(ofVolume, hasInodeLimit, record, nowMs);
    }
    if (record === undefined) return ofWholeShare(ofShare, directory);
    return byMeasurement(record, ofVolume, nowMs);
  } catch (reason) {
    if (hasCode(reason, "storage-no-entry", "storage-not-a-directory"))
      return wrong(
        `${share.name}: the volume's directory ${directory} is gone: put it back, or delete the volume`,
      );
    if (hasCode(reason, "failed-precondition")) return wrong(reason.message);
    throw reason;
  }
}

/**
 * A quota on a directory shows as totals of its own. Those of one file system may differ a little from one
 * answer to the next: ZFS counts as total what is used and what is free, while others write.
 */
function differ(ofShare: bigint, ofVolume: bigint): boolean {
  const difference = ofShare - ofVolume;
  return (difference < 0n ? -difference : difference) * 100n > ofShare;
}

function byQuota(
  space: Space,
  hasInodeLimit: boolean,
  record: Known | undefined,
  nowMs: number,
): ExportFigures {
  const { totalBytes, availableBytes } = space;
  const usage: VolumeUsage = { ...usedOf(space), totalBytes, availableBytes };
  const sizeBytes = record?.sizeBytes ?? totalBytes;
  const message =
    "by the server's quota on the directory, asked now" +
    (sizeBytes !== totalBytes
      ? `; the quota of ${totalBytes} bytes is not the volume's size of ${sizeBytes}`
      : "");
  if (hasInodeLimit) return { usage, abnormal: false, message };
  // Of inodes the answer is then the share's: others' files are not this volume's.
  if (record === undefined) {
    return { usage, abnormal: false, message: `${message}; its inodes are those of the whole share` };
  }
  const usedInodes = record.usage?.usedInodes ?? 0n;
  const source =
    record.usage === undefined ? "never measured yet" : `measured ${ageOf(record.usage, nowMs)} s ago`;
  return { usage: { ...usage, usedInodes }, abnormal: false, message: `${message}; its inodes ${source}` };
}

function ofWholeShare(space: Space, directory: SharePath): ExportFigures {
  const { totalBytes, availableBytes } = space;
  const quota =
    directory === shareRoot
      ? "unless the server has a quota on the directory, these are the figures of the whole share"
      : "these are the figures of the whole share: the server has no quota on the directory";
  return {
    usage: { ...usedOf(space), totalBytes, availableBytes },
    abnormal: false,
    message: `${quota}; Berth has no record of this volume, so it measures nothing`,
  };
}

function usedOf(space: Space): Pick<VolumeUsage, "usedBytes" | "usedInodes" | "availableInodes"> {
  const { totalBytes, availableBytes, totalInodes, availableInodes } = space;
  return {
    usedBytes: atLeastZero(totalBytes - availableBytes),
    usedInodes: atLeastZero(totalInodes - availableInodes),
    availableInodes: totalInodes === 0n ? undefined : availableInodes,
  };
}

/** @param space where the volume is: of the share, or of a limit on inodes alone */
function byMeasurement({ sizeBytes, usage }: Known, space: Space, nowMs: number): ExportFigures {
  const usedBytes = usage?.usedBytes ?? 0n;
  const totalBytes = sizeBytes ?? usedBytes + space.availableBytes;
  const figures: VolumeUsage = {
    totalBytes,
    usedBytes,
    availableBytes: least(atLeastZero(totalBytes - usedBytes), space.availableBytes),
    usedInodes: usage?.usedInodes ?? 0n,
    availableInodes: space.totalInodes === 0n ? undefined : space.availableInodes,
  };
  const source =
    sizeBytes === undefined
      ? "; an inline volume has no size: available is what the share leaves"
      : "; available is what the volume's size and the share leave; nothing on the server enforces the size";
  if (usage === undefined)
    return {
      usage: figures,
      abnormal: false,
      message: `usage never measured yet: the controller measures the exports of its configuration${source}`,
    };
  const measured = `measured ${ageOf(usage, nowMs)} s ago${usage.approximate ? ", approximately" : ""}${source}`;
  if (usedBytes <= totalBytes) return { usage: figures, abnormal: false, message: measured };
  const over = `the volume is larger than its size (${usedBytes} of ${totalBytes} bytes): expand it, or remove files; `;
  return { usage: figures, abnormal: true, message: over + measured };
}

/** In seconds. */
function ageOf({ measuredMs }: UsageRecord, nowMs: number): number {
  return Math.max(0, Math.round((nowMs - measuredMs) / 1000));
}

function wrong(message: string): ExportFigures {
  return { usage: undefined, abnormal: true, message };
}

function least(one: bigint, other: bigint): bigint {
  return one <= other ? one : other;
}

function atLeastZero(value: bigint): bigint {
  return value > 0n ? value : 0n;
}
