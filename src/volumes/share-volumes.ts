import type { Call } from "../core/call.ts";
import { BerthError, hasCode } from "../core/errors.ts";
import { KeyedLock } from "../core/keyed-lock.ts";
import { limits } from "../core/limits.ts";
import { Turns } from "../core/turns.ts";
import type { VolumeId, VolumeName } from "../core/volume-id.ts";
import type { Share, Space } from "../share/share.ts";
import { shareRoot } from "../share/share-path.ts";
import { type Room, roomFor } from "./admission.ts";
import { CallShare } from "./call-share.ts";
import { idOf, isInPlace, isThere, readRecord, volumeOf } from "./catalog.ts";
import { type Inspected, inspectVolume } from "./condition.ts";
import type { ShareContext } from "./context.ts";
import { createVolume } from "./create.ts";
import { deleteVolume } from "./delete.ts";
import { expandVolume, getVolume } from "./expand.ts";
import { stagedTreePath } from "./layout.ts";
import { NameList } from "./name-list.ts";
import { nonceOf, type VolumeRecord } from "./record.ts";
import { withReserve } from "./reserve.ts";
import { listTrash, restoreVolume, type TrashedVolume } from "./trash.ts";
import type { CapacityRange, Volume, VolumePage, VolumeRequest } from "./volume.ts";

/** Records read side by side while listing. */
const readsInFlightMax = 64;

/**
 * The volumes of one share. Any number of processes may work on a share at the same time; within this one,
 * a second operation on a volume is refused while the first runs.
 */
export class ShareVolumes {
  readonly #context: ShareContext;
  readonly #lock = new KeyedLock();
  readonly #turns = new Turns(limits.volumeChangesAtOnceMax);
  readonly #names: NameList;

  constructor(context: ShareContext) {
    this.#context = context;
    this.#names = new NameList(context.clock);
  }

  get share(): Share {
    return this.#context.share;
  }

  /** @throws BerthError `already-exists`, `aborted`, `resource-exhausted`, `failed-precondition`, `permission-denied` */
  async create(call: Call, request: VolumeRequest): Promise<Volume> {
    return await this.#change(call, request.id.name, "creation", (context) =>
      createVolume(context, call, request),
    );
  }

  /** Succeeds when the volume is gone already. @throws BerthError `failed-precondition`, `aborted` */
  async delete(call: Call, id: VolumeId): Promise<void> {
    await this.#change(call, id.name, "deletion", (context) =>
      withReserve(context.share, () => deleteVolume(context, call, id)),
    );
  }

  /** @throws BerthError `not-found`, `out-of-range`, `aborted` */
  async expand(call: Call, id: VolumeId, range: CapacityRange): Promise<Volume> {
    return await this.#change(call, id.name, "expansion", (context) =>
      expandVolume(context, call, id, range),
    );
  }

  /** @throws BerthError `not-found` */
  async get(call: Call, id: VolumeId): Promise<Volume> {
    return await this.#look(call, (context) => getVolume(context, id));
  }

  /**
   * This owner's volumes in the order of their names, from the first after `after`. Records that cannot be
   * read are left out and logged: one broken record must not hide the others.
   */
  async list(call: Call, after: string | undefined, entriesMax: number): Promise<VolumePage> {
    return await this.#look(call, (context) => this.#page(context, call, after, entriesMax));
  }

  async #page(
    context: ShareContext,
    call: Call,
    after: string | undefined,
    entriesMax: number,
  ): Promise<VolumePage> {
    const names = await this.#names.from(context.share, after);
    const volumes: Volume[] = [];
    let last: VolumeName | undefined;
    for (let start = 0; start < names.length; start += readsInFlightMax) {
      call.signal.throwIfAborted();
      const batch = names.slice(start, start + readsInFlightMax);
      const found = await Promise.all(batch.map((name) => read(context, call, name)));
      for (const [index, volume] of found.entries()) {
        if (volumes.length === entriesMax && last !== undefined) return { volumes, nextAfter: last };
        last = batch[index];
        if (volume !== undefined) volumes.push(volume);
      }
    }
    return { volumes };
  }

  /** Deleted volumes that can still be restored. */
  async trash(call: Call): Promise<TrashedVolume[]> {
    return await this.#look(call, (context) => listTrash(context, call));
  }

  /** @throws BerthError `not-found`, `already-exists`, `failed-precondition` */
  async restore(call: Call, name: VolumeName): Promise<Volume> {
    return await this.#change(call, name, "restoring", (context) => restoreVolume(context, call, name));
  }

  async space(call: Call): Promise<Space> {
    return await this.#look(call, ({ share }) => share.space(shareRoot));
  }

  /** The volume and its condition. @throws BerthError `not-found` */
  async inspect(call: Call, id: VolumeId): Promise<Inspected> {
    return await this.#look(call, (context) => inspectVolume(context, id));
  }

  /** What a class leaves to be promised; undefined where it sets no limit. */
  async room(call: Call, parameters: Readonly<Record<string, string>>): Promise<Room | undefined> {
    return await this.#look(call, (context) => roomFor(context, parameters));
  }

  async #change<T>(
    call: Call,
    name: VolumeName,
    what: string,
    work: (context: ShareContext) => Promise<T>,
  ): Promise<T> {
    const { signal, deadlineMs = Number.POSITIVE_INFINITY } = call;
    const untilMs = deadlineMs - limits.answerMsMax; // the rest of the line may be waiting for a share that is silent
    const patience = { signal, untilMs, late: () => this.#tooMany() };
    return await this.#lock.run(name, what, () =>
      this.#turns.run(patience, () =>
        this.#with(call, (context, share) => durably(call, share, () => work(context))),
      ),
    );
  }

  #tooMany(): BerthError {
    return new BerthError(
      "unavailable",
      `${this.share.name}: ${limits.volumeChangesAtOnceMax} other volumes are being changed, and none was done in time: retry`,
    );
  }

  async #look<T>(call: Call, work: (context: ShareContext) => Promise<T>): Promise<T> {
    call.signal.throwIfAborted();
    return await this.#with(call, work);
  }

  async #with<T>(call: Call, work: (context: ShareContext, share: CallShare) => Promise<T>): Promise<T> {
    const share = new CallShare(this.#context.share, call);
    try {
      return await work({ ...this.#context, share }, share);
    } finally {
      await share.close();
    }
  }
}

/**
 * The one place where changes of volumes are made durable before they are told. A success is so too where the call has
 * changed nothing: it may rest on what another one, here or in another process, did a moment ago and has not yet
 * made durable. A refusal is when the call took something back.
 */
async function durably<T>(call: Call, share: CallShare, work: () => Promise<T>): Promise<T> {
  const [outcome] = await Promise.allSettled([work()]);
  if (outcome.status === "fulfilled" || share.hasChanged) {
    await share.sync().catch((reason: unknown) => {
      call.effects.begin(); // all of it may be there, or come back: no answer may be final
      throw reason;
    });
  }
  if (outcome.status === "rejected") throw outcome.reason;
  return outcome.value;
}

async function read(
  { share, owner }: ShareContext,
  call: Call,
  name: VolumeName,
): Promise<Volume | undefined> {
  try {
    const record = await readRecord(share, name);
    if (record === undefined || record.deleted !== undefined) return undefined;
    const id = idOf(record, name, owner);
    return id === undefined ? undefined : await listed(share, id, record);
  } catch (reason) {
    if (!hasCode(reason, "failed-precondition")) throw reason;
    call.log.warn(reason.message, { share: share.name });
    return undefined;
  }
}

/** A volume that is not in its place, and not in staging on its way there either, has lost its directory. */
async function listed(share: Share, id: VolumeId, record: VolumeRecord): Promise<Volume> {
  if (await isInPlace(share, record)) return volumeOf(id, record, true);
  if (await isThere(share, stagedTreePath(id.name, nonceOf(record.identity)))) {
    return volumeOf(id, record, false);
  }
  if (await isInPlace(share, record)) return volumeOf(id, record, true); // it arrived between the two looks
  return { ...volumeOf(id, record, false), state: "lost" };
}
