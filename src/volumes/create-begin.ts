import { BerthError, hasCode } from "../core/errors.ts";
import type { Nonce } from "../core/nonce.ts";
import type { FileStat } from "../share/share.ts";
import type { SharePath } from "../share/share-path.ts";
import { absent, findRecord, removeIfEmpty } from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import { directoryPath, recordPath, stagedTreePath } from "./layout.ts";
import { refuseClosed, statIfThere } from "./place.ts";
import type { VolumeRecord } from "./record.ts";
import { settled } from "./settled.ts";
import type { VolumeRequest } from "./volume.ts";

/** Where a volume is to be. */
export const pathOf = ({ path, id }: VolumeRequest): SharePath => path ?? directoryPath(id.name);

/** What a creation has made, with nothing recorded yet. */
export interface Made {
  /** Whether this made the record's directory. */
  readonly isMade: boolean;
  /** The volume's directory in staging. */
  readonly built?: FileStat | undefined;
}

interface Beginning extends Made {
  /** What is recorded already. */
  readonly found?: VolumeRecord | undefined;
  /** What is at the path. */
  readonly existing?: FileStat | undefined;
}

/**
 * Makes the record's directory, builds the volume's, and looks what is at the path. Most often nothing of the name is
 * there: then this first step of all tells so, and no look at the record is needed.
 */
export async function begin(context: ShareContext, request: VolumeRequest, nonce: Nonce): Promise<Beginning> {
  const { share } = context;
  const { name } = request.id;
  const [record, staged] = [recordPath(name), stagedTreePath(name, nonce)];
  const { results, done, failure } = await share.inOrder([
    { kind: "makeDirectory", path: record, mode: 0o700 },
    { kind: "makeDirectory", path: staged, mode: request.directory.mode },
    { kind: "stat", path: pathOf(request) },
  ]);
  const [, built, existing] = results;
  const undo = async (): Promise<void> => {
    await removeIfEmpty(share, staged);
    await removeIfEmpty(share, record);
  };
  if (done === 0) return await meet(context, request, failure, undo);
  if (done === 1) {
    if (!hasCode(failure, "storage-no-entry")) throw await settled(failure, undo);
    return { isMade: true, existing: await lookAtPath(context, request) }; // the share has no staging yet
  }
  if (failure === undefined) await removeIfEmpty(share, staged);
  else if (!hasCode(failure, ...absent)) {
    await removeIfEmpty(share, staged);
    throw await unlooked(context, request, failure);
  }
  return existing === undefined ? { isMade: true, built } : { isMade: true, existing };
}

/** What keeps the record's directory from being made: an earlier attempt, most often. */
async function meet(
  context: ShareContext,
  request: VolumeRequest,
  obstacle: unknown,
  undo: () => Promise<void>,
): Promise<Beginning> {
  const { share } = context;
  const { name } = request.id;
  const found = await findRecord(share, name).catch(async (reason: unknown) => {
    throw await unlooked(context, request, reason);
  });
  if (found !== undefined) return { isMade: false, found };
  if (!hasCode(obstacle, "storage-exists", "storage-no-entry")) {
    throw await settled(obstacle, undo);
  }
  return { isMade: false, existing: await lookAtPath(context, request) };
}

async function lookAtPath(context: ShareContext, request: VolumeRequest): Promise<FileStat | undefined> {
  return await statIfThere(context.share, pathOf(request)).catch(async (reason: unknown) => {
    throw await unlooked(context, request, reason);
  });
}

/** What an earlier attempt left is not known then: no answer may be final, but of what is closed to Berth. */
async function unlooked({ share }: ShareContext, request: VolumeRequest, reason: unknown): Promise<unknown> {
  await refuseClosed(share, request.id.name, pathOf(request), reason);
  if (!hasCode(reason, "failed-precondition")) return reason;
  return new BerthError("unavailable", `${share.name}: ${reason.message}`, { cause: reason });
}
