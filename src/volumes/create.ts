import type { Call } from "../core/call.ts";
import { BerthError, hasCode } from "../core/errors.ts";
import { printVolumeId } from "../core/volume-id.ts";
import type { FileStat } from "../share/share.ts";
import { join } from "../share/share-path.ts";
import {
  ensureLayout,
  fileidAt,
  isInPlace,
  isThere,
  readRecord,
  removeIfEmpty,
  volumeOf,
} from "./catalog.ts";
import type { ShareContext } from "./context.ts";
import { begin, pathOf } from "./create-begin.ts";
import { buildAndClaim } from "./create-claim.ts";
import { berthName, parentsOf, recordPath, stagingPath } from "./layout.ts";
import { findHeld } from "./path-claim.ts";
import { clear, moveIntoPlace } from "./place.ts";
import { isOwnedBy, type VolumeRecord } from "./record.ts";
import { fateOf, retire } from "./retire.ts";
import { comeAgain } from "./settled.ts";
import type { Volume, VolumeRequest } from "./volume.ts";

const attemptsMax = 5;

/**
 * Creates a volume, or goes on with a creation that was cut off. Its steps:
 *
 * 1. make the record's directory, build the volume's in staging under a name with a nonce, with its final mode and owner,
 *    and look what is at the path;
 * 2. claim the volume's name: the record, which names the nonce and the directory's fileid, is linked;
 * 3. see whether the share may promise as much, claim the path (together with the name, where the class sets no limit), and
 *    make the parents that are missing;
 * 4. rename the directory to its path.
 *
 * The directory is made before the claim, so it is made once: whoever else goes on with this claim can
 * only rename what is there, never a second, empty directory over a volume in use. A directory that is
 * adopted is where it is: it is claimed, and no more.
 */
export async function createVolume(
  context: ShareContext,
  call: Call,
  request: VolumeRequest,
): Promise<Volume> {
  const { share, newNonce } = context;
  const name = request.id.name;
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    call.signal.throwIfAborted();
    call.effects.begin();
    const nonce = newNonce();
    const { found, existing, ...made } = await begin(context, request, nonce);
    if (found === undefined) {
      if (existing !== undefined && !(await mayAdopt(context, request, existing))) continue;
      const claimed = await buildAndClaim(context, request, nonce, made, existing);
      if (claimed === undefined) continue;
      await moveIntoPlace(context, name, claimed.record, request.adopt, claimed.claims);
      return volumeOf(request.id, claimed.record, true);
    }
    if (found.deleted !== undefined && isOwnedBy(found.identity, context.owner)) {
      // A deletion that was cut off: finish it, then start anew.
      await retire(context, name, found, fateOf(found)).catch((reason: unknown) => {
        throw comeAgain(reason);
      });
      continue;
    }
    refuseOther(context, request, found);
    const isAdopted = found.identity.adopted === true; // in place from the start, whoever has claimed it
    if (isAdopted || !(await isInPlace(share, found)))
      await moveIntoPlace(context, name, found, request.adopt);
    return volumeOf(request.id, found, true);
  }
  throw new BerthError("aborted", `${share.name}: ${name} keeps changing while it is created: retry`);
}

/**
 * What to do about something that is at the path already. @returns false when it has gone, or its owner has come:
 * look again. @throws BerthError for what is not taken over; nothing is left then
 */
async function mayAdopt(context: ShareContext, request: VolumeRequest, existing: FileStat): Promise<boolean> {
  const { share } = context;
  const { name } = request.id;
  try {
    if ((await readRecord(share, name)) !== undefined) return false; // made since the first look
    const held = await findHeld(context, pathOf(request));
    if (held === undefined) {
      // An empty parent has gone with the last claim below it.
      if ((await fileidAt(share, pathOf(request))) !== `${existing.fileid}`) return false;
      await refuseExisting(context, request, existing);
      return true;
    }
    await clear(context, pathOf(request), held).catch((reason: unknown) => {
      throw comeAgain(reason);
    });
    return false;
  } catch (reason) {
    await removeIfEmpty(share, recordPath(name));
    throw reason;
  }
}

/** What existed before Berth is taken over only if the class says so. */
async function refuseExisting(
  { share }: ShareContext,
  request: VolumeRequest,
  existing: FileStat,
): Promise<void> {
  const path = pathOf(request);
  const refuse = (code: "already-exists" | "failed-precondition", cause: string, remedy: string) =>
    new BerthError(code, `${share.name}: ${path} exists and ${cause}: ${remedy}`);
  if (request.adopt === undefined) {
    const remedy = "move it away, ask for another name, or let a class of exports adopt it (adoptExisting)";
    throw refuse("already-exists", "is no volume of Berth", remedy);
  }
  if (existing.type !== "directory") {
    throw refuse("failed-precondition", `is a ${existing.type}`, "only a directory can be adopted");
  }
  for (const directory of [...parentsOf(path), path]) {
    const isShare = await isThere(share, join(directory, berthName)).catch((reason: unknown) => {
      if (!hasCode(reason, "storage-access")) throw reason;
      return false; // closed to Berth, so it never worked in there
    });
    if (!isShare) continue;
    const cause = `${directory} has a folder ${berthName}, so volumes of another share lie in it`;
    throw refuse("failed-precondition", cause, "adopt a directory of that share by its own export");
  }
  await ensureLayout(share);
  if ((await share.stat(stagingPath)).fsid !== existing.fsid) {
    const remedy = "give that an export of its own";
    throw refuse("failed-precondition", "lies on another file system than the share", remedy);
  }
}

/** A claim that stands, of a request that differs. */
function refuseOther(
  { share, owner }: ShareContext,
  request: VolumeRequest,
  { identity, sizeBytes }: VolumeRecord,
): void {
  const differs = (what: string, has: string, wants: string): BerthError =>
    new BerthError(
      "already-exists",
      `${share.name}: volume ${request.id.name} exists with ${what} ${has}, but ${wants} is asked for: ` +
        "delete it first, or ask for another name",
    );
  if (!isOwnedBy(identity, owner)) {
    throw differs("owner", `${identity.cluster}/${identity.driver}`, `${owner.cluster}/${owner.driver}`);
  }
  if (identity.id !== printVolumeId(request.id)) throw differs("id", identity.id, printVolumeId(request.id));
  if (identity.requestedName !== request.requestedName) {
    throw differs("name", identity.requestedName, request.requestedName);
  }
  if (identity.directory.path !== pathOf(request)) {
    throw differs("directory", identity.directory.path, pathOf(request));
  }
  const { requiredBytes, limitBytes } = request.capacity;
  if (sizeBytes < requiredBytes) throw differs("size", `${sizeBytes}`, `at least ${requiredBytes} bytes`);
  if (limitBytes > 0n && sizeBytes > limitBytes)
    throw differs("size", `${sizeBytes}`, `at most ${limitBytes} bytes`);
  for (const key of new Set([...Object.keys(identity.parameters), ...Object.keys(request.parameters)])) {
    const [has, wants] = [identity.parameters[key], request.parameters[key]];
    if (has !== wants) throw differs(`parameter ${key}`, JSON.stringify(has), `${JSON.stringify(wants)}`);
  }
}
