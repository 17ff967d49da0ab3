import type { Call } from "../../core/call.ts";
import { type Clock, systemClock } from "../../core/clock.ts";
import { BerthError, hasCode } from "../../core/errors.ts";
import { KeyedLock } from "../../core/keyed-lock.ts";
import { parseSharePath } from "../../share/share-path.ts";
import { otherwise, somethingElse } from "../bind-volume.ts";
import { exitCodes, stepError } from "../helpers/helper-script.ts";
import { equalFlags, flagsOf, type MountWish } from "../mounts/mount-flags.ts";
import { isNfsMountOf, type NfsSource, storageOfMount } from "../mounts/mount-source.ts";
import type { Mount } from "../mounts/mount-table.ts";
import type { MountWork } from "../mounts/mount-work.ts";
import { parseNodePath } from "../mounts/node-path.ts";
import { checkBelowKubelet, survey } from "../mounts/survey.ts";
import { nfsWish } from "../nfs/nfs-plan.ts";
import { NfsVolume } from "../nfs/nfs-volume.ts";
import type { KnownShares, VolumeContext } from "../volume-source.ts";
import { isEphemeralId } from "./ephemeral-id.ts";
import type { EphemeralRecord, EphemeralRecords } from "./ephemeral-records.ts";

/** What a pod asks of its inline volume: the keys of its `volumeAttributes`, without Kubernetes' own. */
const attributeKeys = ["export", "mode", "uid", "gid"];

/** Makes and removes the directories of inline volumes on their exports, through the user-space client. */
export interface EphemeralShares {
  /**
   * Goes on with a creation that was cut off. @param attributes `mode`, `uid`, `gid`
   * @returns the directory, relative to the share, and the record that it has there
   */
  create(
    record: EphemeralRecord,
    attributes: Readonly<Record<string, string>>,
    call: Call,
  ): Promise<{ readonly directory: string; readonly record: string }>;
  /** @throws BerthError `invalid-argument` for attributes that cannot be */
  check(record: EphemeralRecord, attributes: Readonly<Record<string, string>>): Promise<void>;
  /** Succeeds when it is gone already. */
  delete(record: EphemeralRecord, call: Call): Promise<void>;
}

export interface EphemeralParts {
  readonly work: MountWork;
  readonly records: EphemeralRecords;
  readonly shares: EphemeralShares;
  readonly known: KnownShares;
  /** The exports that pods may ask for. */
  readonly allowed: readonly string[];
  readonly clock?: Clock;
}

export interface EphemeralRequest extends MountWish {
  readonly volumeId: string;
  readonly context: VolumeContext;
  readonly targetPath: string;
}

/**
 * Inline volumes: they live as long as their pod. There is no CreateVolume and no stage; publish makes the directory
 * and mounts it at the target, unpublish takes both away. A pod may vanish without an unpublish (after a failed
 * publish, or a reboot), so a record on this node is written before anything else, and swept later.
 */
export class EphemeralVolumes {
  readonly #parts: EphemeralParts;
  readonly #clock: Clock;
  readonly #lock = new KeyedLock();

  constructor(parts: EphemeralParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
  }

  /** @throws BerthError `failed-precondition` where inline volumes are off; else as staging on NFS */
  async publish(request: EphemeralRequest, call: Call): Promise<void> {
    const rpc = "NodePublishVolume";
    const { volumeId } = request;
    if (!isEphemeralId(volumeId)) {
      throw new BerthError("invalid-argument", `inline volume ${volumeId} has not the id that kubelet gives`);
    }
    const path = parseNodePath(request.targetPath, "target path");
    await this.#lock.run(volumeId, rpc, () => this.#publish(request, path, call));
    call.log.info(`Successfully mounted ${path}`, { rpc, volumeId, path });
  }

  /** Takes away mount, target and directory. A directory whose server does not answer is left to `sweep`. */
  async unpublish(volumeId: string, targetPath: string, call: Call): Promise<void> {
    const rpc = "NodeUnpublishVolume";
    const path = parseNodePath(targetPath, "target path");
    await this.#lock.run(volumeId, rpc, async () => {
      const record = await this.#parts.records.read(volumeId);
      await this.#unmount(volumeId, path, call);
      if (record?.targetPath === path) await this.#discardOrLeave(record, call);
    });
    call.log.info(`Successfully unmounted ${path}`, { rpc, volumeId, path });
  }

  /** Removes the volumes whose pods have gone without an unpublish. */
  async sweep(call: Call): Promise<void> {
    for (const record of await this.#parts.records.list(call.log)) {
      call.signal.throwIfAborted();
      const { volumeId } = record;
      try {
        await this.#lock.run(volumeId, "sweep", async () => {
          if (await this.#isWanted(record, call.signal)) return;
          await this.#discardOrLeave(record, call);
        });
      } catch (error) {
        if (hasCode(error, "aborted")) continue; // a call is at work on it
        call.log.warn(`inline volume ${volumeId} cannot be looked after: ${BerthError.from(error).message}`, {
          volumeId,
        });
      }
    }
  }

  async #publish(request: EphemeralRequest, path: string, call: Call): Promise<void> {
    const { volumeId, context } = request;
    const { work, records, shares } = this.#parts;
    const { known, attributes, name } = this.#asked(context);
    const record: EphemeralRecord = {
      schema: 1,
      volumeId,
      export: name,
      targetPath: path,
      pod: podOf(context),
      createdAt: new Date(this.#clock.nowMs()).toISOString(),
    };
    await shares.check(record, attributes);
    const view = await survey(work.parts, { volumeId, path }, call.signal);
    checkBelowKubelet(view, "target path");
    const there = view.table.at(view.path);
    const what = `target path ${path}`;
    const isOurs = there !== undefined && isNfsMountOf(there, view.table, volumeId, undefined);
    if (there !== undefined && !isOurs) throw somethingElse(there, what);
    const before = await records.read(volumeId);
    if (before !== undefined) checkSame(before, record);
    await records.write(record);
    call.effects.begin();
    const made = await shares.create(record, attributes, call);
    const source: NfsSource = {
      kind: "nfs",
      shareName: name,
      location: { server: known.server, share: known.share },
      directory: parseSharePath(made.directory),
      record: parseSharePath(made.record),
      access: known.access,
      configured: true,
      exportOptions: known.mountOptions ?? "",
      mountOptions: "",
    };
    const wish = nfsWish(source, request);
    if (there !== undefined) {
      if (there.source !== wish.text) throw somethingElse(there, what);
      if (!equalFlags(flagsOf(there), wish.flags)) throw otherwise(what);
      return;
    }
    try {
      await new NfsVolume(work, volumeId, source).mountAt(view.path, wish, what, call);
    } catch (error) {
      await work.removeQuietly(volumeId, view.path, call);
      throw error;
    }
  }

  /** @throws BerthError for what a pod may not ask for */
  #asked(context: VolumeContext) {
    const { allowed, known } = this.#parts;
    const attributes = Object.entries(context).filter(([key]) => !key.includes("/"));
    const unknown = attributes.find(([key]) => !attributeKeys.includes(key));
    if (allowed.length === 0) {
      throw new BerthError(
        "failed-precondition",
        "inline volumes are off on this node: name the exports that pods may use under ephemeral.exports in its configuration",
      );
    }
    if (unknown !== undefined) {
      throw new BerthError(
        "invalid-argument",
        `inline volume: ${JSON.stringify(unknown[0].slice(0, 100))} is no attribute of it: use ${attributeKeys.join(", ")}`,
      );
    }
    const [first, ...others] = allowed;
    const name = context.export ?? (others.length === 0 ? first : undefined);
    const found = name !== undefined && allowed.includes(name) ? known.exports.get(name) : undefined;
    if (name === undefined || found === undefined) {
      const asked =
        name === undefined ? "export is missing" : `export ${JSON.stringify(name)} is not for pods`;
      throw new BerthError("invalid-argument", `inline volume: ${asked}: name one of ${allowed.join(", ")}`);
    }
    const rest = attributes.flatMap(([key, value]) =>
      key === "export" || value === undefined ? [] : [[key, value] as const],
    );
    return { name, known: found, attributes: Object.fromEntries(rest) };
  }

  async #unmount(volumeId: string, path: string, call: Call): Promise<void> {
    const { work } = this.#parts;
    const view = await survey(work.parts, { volumeId, path }, call.signal);
    checkBelowKubelet(view, "target path");
    const there = view.table.at(view.path);
    if (there !== undefined) {
      call.effects.begin();
      const subject = { volumeId, storage: storageOfMount(there) };
      await work.unmount(
        subject,
        view.path,
        (mount, table) => isNfsMountOf(mount, table, volumeId, undefined),
        view.table,
        call.signal,
      );
    }
    await work.remove(volumeId, view.path, call);
  }

  /** Whether its pod is still there, as far as its target tells. */
  async #isWanted({ volumeId, targetPath }: EphemeralRecord, signal: AbortSignal): Promise<boolean> {
    const { work } = this.#parts;
    const view = await survey(work.parts, { volumeId, path: targetPath }, signal);
    if (view.table.at(view.path) !== undefined) return true;
    const reply = await work.step({ volumeId }, "exists", [view.path], signal);
    if (reply.exitCode === 0) return true;
    if (reply.exitCode === exitCodes.notThere) return false;
    throw stepError("exists", reply, `inline volume ${volumeId}: ${targetPath}`);
  }

  async #discardOrLeave(record: EphemeralRecord, call: Call): Promise<void> {
    const { volumeId } = record;
    const { limits, readTable } = this.#parts.work.parts;
    try {
      // Whatever the record says: nothing goes under a pod that has it.
      const table = await readTable();
      const there = table.mounts.find((mount) => isNfsMountOf(mount, table, volumeId, undefined));
      if (there !== undefined) throw stillMounted(there);
      await inTime(this.#parts.shares.delete(record, call), limits.discardMsMax, call.signal);
      await this.#parts.records.remove(volumeId);
    } catch (error) {
      const reason = BerthError.from(error).message;
      call.log.warn(`the directory of inline volume ${volumeId} stays for now: ${reason}`, { volumeId });
    }
  }
}

/** A pod must not wait for a dead server to be allowed to go. What goes on behind this is safe to do again. */
async function inTime(work: Promise<void>, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const late = Promise.withResolvers<never>();
  const give = () => late.reject(new BerthError("deadline-exceeded", "its server did not answer in time"));
  const timer = setTimeout(give, timeoutMs);
  signal.addEventListener("abort", give, { once: true });
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", give);
    work.catch(() => {}); // when it lost the race, the next sweep sees what became of it
  }
}

function stillMounted({ mountPoint }: Mount): BerthError {
  return new BerthError(
    "failed-precondition",
    `it is mounted at ${mountPoint}, against its record: end the pod that has it, then unmount it by hand`,
  );
}

/** One directory, one pod: another record would leave the first target to lose its files with the second. */
function checkSame(before: EphemeralRecord, { volumeId, targetPath, export: name }: EphemeralRecord): void {
  const remedy = "unpublish it there first; what a pod has left behind is removed within minutes";
  if (before.export !== name) {
    const cause = `is on export ${before.export}, not on ${name}`;
    throw new BerthError("already-exists", `inline volume ${volumeId} ${cause}: ${remedy}`);
  }
  if (before.targetPath !== targetPath) {
    const cause = `is published at ${before.targetPath}, and is one pod's alone`;
    throw new BerthError("failed-precondition", `inline volume ${volumeId} ${cause}: ${remedy}`);
  }
}

function podOf(context: VolumeContext): string {
  const part = (key: string) => context[`csi.storage.k8s.io/pod.${key}`] ?? "";
  return `${part("namespace")}/${part("name")}`;
}
