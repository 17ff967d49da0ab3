import { hasCode } from "../core/errors.ts";
import type { Share } from "../share/share.ts";
import type { SharePath } from "../share/share-path.ts";

/** Write permission for the owner, and then for everybody. */
const extraModes = [0o200, 0o222];

/**
 * Renames a directory to another parent. For that it must be writable to whoever renames it, which is not root
 * where the server squashes that: so where access is refused, its mode is widened and given back afterwards.
 * Its owner may be somebody else. One of its two places is Berth's own, open to nobody else.
 */
export async function renameTree(share: Share, from: SharePath, to: SharePath): Promise<void> {
  try {
    return await share.rename(from, to);
  } catch (reason) {
    if (!hasCode(reason, "storage-access")) throw reason;
    await renameWidened(share, from, to, reason);
  }
}

async function renameWidened(share: Share, from: SharePath, to: SharePath, first: Error): Promise<void> {
  const { mode } = await share.stat(from);
  let refusal = first;
  for (const extra of extraModes) {
    const wider = mode | extra;
    if (wider === mode) continue;
    await share.setAttributes(from, { mode: wider });
    try {
      await share.rename(from, to);
      return await share.setAttributes(to, { mode });
    } catch (reason) {
      if (!hasCode(reason, "storage-access")) throw reason;
      refusal = reason;
    }
  }
  await share.setAttributes(from, { mode });
  throw refusal;
}
