import { hasCode } from "../../core/errors.ts";
import type { NfsClient, OperationOptions } from "../client.ts";
import type { FileNode } from "../file.ts";
import { treeLimits } from "./limits.ts";

/** Bytes of a file that are stored: from `start` to before `end`. */
export interface DataRange {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * What lies between the holes of a sparse file, by SEEK (RFC 7862 §15.11). @returns undefined where the server cannot
 * tell, or it is in more than `dataRangesMax` pieces
 */
export async function dataRanges(
  client: NfsClient,
  { handle, attributes: { sizeBytes } }: FileNode,
  options: OperationOptions,
): Promise<readonly DataRange[] | undefined> {
  const ranges: DataRange[] = [];
  try {
    for (let offset = 0n; offset < sizeBytes; ) {
      const start = await client.seek(handle, offset, "data", options);
      if (start === undefined || start < offset || start >= sizeBytes) break;
      if (ranges.length >= treeLimits.dataRangesMax) return undefined;
      const hole = (await client.seek(handle, start, "hole", options)) ?? sizeBytes;
      const end = hole <= start || hole > sizeBytes ? sizeBytes : hole;
      ranges.push({ start, end });
      offset = end;
    }
    return ranges;
  } catch (error) {
    if (hasCode(error, "storage-unsupported")) return undefined;
    throw error;
  }
}
