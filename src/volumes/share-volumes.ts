import type { Call } from "../core/call.ts";
import { hasCode } from "../core/errors.ts";
import { KeyedLock } from "../core/keyed-lock.ts";
import { limits } from "../core/limits.ts";
import { Turns } from "../core/turns.ts";
import type { VolumeId, VolumeName } from "../core/volume-id.ts";
import type { Share, Space } from "../share/share.ts";
import { shareRoot } from "../share/share-path.ts";
import { type Room, roomFor } from "./admission.ts";
import { idOf, isInPlace, isThere, readRecord, volumeOf } from "./catalog.ts";
import { type Inspected, inspectVolume } from "./condition.ts";
import type { ShareContext } from "./context.ts";
import { createVolume } from "./create.ts";
import { deleteVolume } from "./delete.ts";
import { expandVolume, getVolume } from "./expand.ts";
import { stagedTreePath } from "./layout.ts";
import { NameList } from "./name-list.ts";
import { nonceOf, type VolumeRecord } from "./record.ts";
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
    this.#names = new NameList(context.share, context.clock);
  }

  get share(): Share {
    return this.#context.share;
  }

  /** @throws BerthError `already-exists`, `aborted`, `resource-exhausted`, `failed-precondition`, `permission-denied` */
  async create(call: Call, request: VolumeRequest): Promise<Volume> {
    return await this.#change(call, request.id.name, "creation", () =>
      createVolume(this.#context, call, request),
    );
  }

  /** Succeeds when the volume is gone already. @throws BerthError `failed-precondition`, `aborted` */
  async delete(call: Call, id: VolumeId): Promise<void> {
    await this.#change(call, id.name, "deletion", () => deleteVolume(this.#context, call, id));
  }

  /** @throws BerthError `not-found`, `out-of-range`, `aborted` */
  async expand(call: Call, id: VolumeId, range: CapacityRange): Promise<Volume> {
    return await this.#change(call, id.name, "expansion", () => expandVolume(this.#context, call, id, range));
  }

  /** @throws BerthError `not-found` */
  async get(call: Call, id: VolumeId): Promise<Volume> {
    call.signal.throwIfAborted();
    return await getVolume(this.#context, id);
  }

  /**
   * This owner's volumes in the order of their names, from the first after `after`. Records that cannot be
   * read are left out and logged: one broken record must not hide the others.
   */
  async list(call: Call, after: string | undefined, entriesMax: number): Promise<VolumePage> {
    const names = await this.#names.from(after);
    const volumes: Volume[] = [];
    let last: VolumeName | undefined;
    for (let start = 0; start < names.length; start += readsInFlightMax) {
      call.signal.throwIfAborted();
      const batch = names.slice(start, start + readsInFlightMax);
      const found = await Promise.all(batch.map((name) => this.#read(call, name)));
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
    return await listTrash(this.#context, call);
  }

  /** @throws BerthError `not-found`, `already-exists`, `failed-precondition` */
  async restore(call: Call, name: VolumeName): Promise<Volume> {
    return await this.#change(call, name, "restoring", () => restoreVolume(this.#context, call, name));
  }

  async space(call: Call): Promise<Space> {
    return await this.share.space(shareRoot, call.signal);
  }

  /** The volume and its condition. @throws BerthError `not-found` */
  async inspect(call: Call, id: VolumeId): Promise<Inspected> {
    call.signal.throwIfAborted();
    return await inspectVolume(this.#context, id);
  }

  /** What a class leaves to be promised; undefined where it sets no limit. */
  async room(call: Call, parameters: Readonly<Record<string, string>>): Promise<Room | undefined> {
    call.signal.throwIfAborted();
    return await roomFor(this.#context, parameters);
  }

  async #change<T>({ signal }: Call, name: VolumeName, what: string, work: () => Promise<T>): Promise<T> {
    return await this.#lock.run(name, what, () => this.#turns.run(signal, work));
  }

  async #read(call: Call, name: VolumeName): Promise<Volume | undefined> {
    const { share, owner } = this.#context;
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
