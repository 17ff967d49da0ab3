import { BerthError, hasCode } from "../../core/errors.ts";
import type { Nonce } from "../../core/nonce.ts";
import {
  decodeUsage,
  encodeUsage,
  type UsageRecord,
  usageBytesMax,
  usageFile,
} from "../../core/usage-record.ts";
import type { VolumeName } from "../../core/volume-id.ts";
import type { Share } from "../../share/share.ts";
import { join } from "../../share/share-path.ts";
import type { ShareContext } from "../context.ts";
import { recordPath, stagedFilePath } from "../layout.ts";

/** What was last measured of a volume; undefined where nothing was, or nothing that can be read. */
export async function readUsage(
  share: Share,
  name: VolumeName,
  nonce: Nonce,
): Promise<UsageRecord | undefined> {
  try {
    const content = await share.readFile(join(recordPath(name), usageFile), usageBytesMax);
    return decodeUsage(content, nonce);
  } catch (reason) {
    if (hasCode(reason, "storage-no-entry", "storage-too-large", "storage-unsupported")) return undefined;
    throw reason;
  }
}

/**
 * Replaces it whole: a reader sees the one before or this one. The volume may be gone in the meantime, and even
 * its successor have come: its nonce tells that this is not about it.
 */
export async function writeUsage(
  { share, newNonce }: ShareContext,
  name: VolumeName,
  record: UsageRecord,
): Promise<void> {
  const temporary = stagedFilePath(newNonce());
  try {
    await share.createFile(temporary, encodeUsage(record));
    await share.rename(temporary, join(recordPath(name), usageFile));
  } catch (reason) {
    await share.removeFile(temporary).catch(ignoreStorage); // else the reaper sweeps it
    if (!hasCode(reason, "storage-no-entry")) throw reason;
  }
}

function ignoreStorage(reason: unknown): void {
  if (!(reason instanceof BerthError)) throw reason;
}
