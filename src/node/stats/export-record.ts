import * as v from "valibot";
import { BerthError, hasCode } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { parseNonce } from "../../core/nonce.ts";
import { decodeUsage, type UsageRecord, usageBytesMax, usageFile } from "../../core/usage-record.ts";
import type { VolumeName } from "../../core/volume-id.ts";
import type { Share } from "../../share/share.ts";
import { join, parseSharePath, type SharePath } from "../../share/share-path.ts";

/** Of a volume's record on its share, what a node needs for its figures. */
export interface ExportRecord {
  readonly sizeBytes: bigint;
  readonly directory: SharePath;
  readonly fileid: bigint;
  readonly usage: UsageRecord | undefined;
}

const decimal = v.pipe(
  v.string(),
  v.regex(/^[0-9]{1,20}$/),
  v.transform((text) => BigInt(text)),
);
const identitySchema = v.object({
  nonce: v.pipe(v.string(), v.regex(/^[a-z2-7]{26}$/), v.transform(parseNonce)),
  sizeBytes: decimal,
  directory: v.object({ path: v.pipe(v.string(), v.transform(parseSharePath)), fileid: decimal }),
});
const sizeSchema = v.object({ sizeBytes: decimal });

/** @returns undefined where there is none. @throws BerthError `failed-precondition` for one that cannot be read */
export async function readExportRecord(
  share: Share,
  name: VolumeName,
  signal: AbortSignal,
): Promise<ExportRecord | undefined> {
  const path = join(parseSharePath(".berth/volumes"), name);
  const content = await readIfThere(share, join(path, "identity.json"), limits.recordBytesMax, signal);
  if (content === undefined) return undefined;
  const { nonce, sizeBytes, directory } = parse(identitySchema, content, join(path, "identity.json"));
  const later = await laterSize(share, path, nonce, signal);
  const usage = await readIfThere(share, join(path, usageFile), usageBytesMax, signal);
  return {
    sizeBytes: later ?? sizeBytes,
    directory: directory.path,
    fileid: directory.fileid,
    usage: usage === undefined ? undefined : decodeUsage(usage, nonce),
  };
}

/** Later sizes are files of their own, `size-<n>.<nonce>.json`; the highest counts. */
async function laterSize(
  share: Share,
  path: SharePath,
  nonce: string,
  signal: AbortSignal,
): Promise<bigint | undefined> {
  let [highest, file] = [0, ""];
  for await (const entry of share.list(path, signal)) {
    const [, digits, of] = /^size-([1-9][0-9]{0,8})\.([a-z2-7]{26})\.json$/.exec(entry.name) ?? [];
    if (of !== nonce || Number(digits) <= highest) continue;
    [highest, file] = [Number(digits), entry.name];
  }
  if (highest === 0) return undefined;
  const content = await readIfThere(share, join(path, file), limits.recordBytesMax, signal);
  return content === undefined ? undefined : parse(sizeSchema, content, join(path, file)).sizeBytes;
}

async function readIfThere(
  share: Share,
  path: SharePath,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    return await share.readFile(path, bytesMax, signal);
  } catch (reason) {
    if (hasCode(reason, "storage-no-entry")) return undefined;
    throw reason;
  }
}

function parse<S extends v.GenericSchema>(schema: S, content: Uint8Array, path: SharePath): v.InferOutput<S> {
  try {
    return v.parse(schema, JSON.parse(Buffer.from(content).toString("utf8")));
  } catch (cause) {
    throw new BerthError("failed-precondition", `record ${path} cannot be read: restore it from a backup`, {
      cause,
    });
  }
}
