import type { Call } from "../core/call.ts";
import { BerthError } from "../core/errors.ts";
import { KeyedLock } from "../core/keyed-lock.ts";
import { BindVolume, otherwise, somethingElse } from "./bind-volume.ts";
import { exitCodes, type Reply } from "./helpers/helper-script.ts";
import { equalFlags, flagsOf, type MountWish, printFlags } from "./mounts/mount-flags.ts";
import {
  isNfsMountOf,
  type MountSource,
  storageOf,
  storageOfMount,
  type UnmountSource,
  wasMountOf,
} from "./mounts/mount-source.ts";
import type { Mount, MountTable } from "./mounts/mount-table.ts";
import type { MountWork } from "./mounts/mount-work.ts";
import { nameOf, parentOf, parseNodePath } from "./mounts/node-path.ts";
import { checkBelowKubelet, survey, type View } from "./mounts/survey.ts";
import { saysStale } from "./nfs/nfs-mount-error.ts";
import { NfsVolume } from "./nfs/nfs-volume.ts";
import type { StagedVolume, VolumeKind } from "./volume-kind.ts";

export interface StageRequest extends MountWish {
  readonly volumeId: string;
  readonly source: MountSource;
  readonly stagingPath: string;
}

export interface PublishRequest extends StageRequest {
  readonly targetPath: string;
  /** Whether other targets on this node may have the volume too (CSI: the access mode says so). */
  readonly targets: "one" | "many";
}

export interface UnmountRequest {
  readonly volumeId: string;
  /** Undefined for an id whose share this node does not know. */
  readonly source: UnmountSource | undefined;
  readonly path: string;
}

/**
 * The volumes of one node: staged once, published for each pod, by bind mounts. The kernel's mount
 * table is the only state, read anew in each call and again after each step; a restart loses nothing.
 *
 * A read-only bind mount takes the kernel two steps. A machine that dies between them leaves a mount with
 * other flags, which the next call refuses as `already-exists`; an error or a deadline is undone.
 */
export class NodeVolumes {
  readonly #work: MountWork;
  readonly #lock = new KeyedLock();

  constructor(work: MountWork) {
    this.#work = work;
  }

  /**
   * Mounts the volume's directory at the staging path.
   * @throws BerthError `not-found` without the volume's record or directory; `already-exists` when staged with
   * other flags or from another place; `failed-precondition` when something else is in the way;
   * `invalid-argument` for path or flags; on NFS why the server refuses
   */
  async stage(request: StageRequest, call: Call): Promise<void> {
    const rpc = "NodeStageVolume";
    const { volumeId, source } = request;
    const path = parseNodePath(request.stagingPath, "staging path");
    await this.#lock.run(volumeId, rpc, () => this.#kindOf(volumeId, source).stage(request, path, call));
    call.log.info(`${rpc} succeeded on volume ${volumeId} to path ${path}`, { rpc, volumeId, path });
  }

  /**
   * Mounts the staged volume at the target, which it makes.
   * @throws BerthError `failed-precondition` when not staged, when the access mode allows no further
   * target, or when something else is in the way; `already-exists` when published there in another way
   */
  async publish(request: PublishRequest, call: Call): Promise<void> {
    const rpc = "NodePublishVolume";
    const path = parseNodePath(request.targetPath, "target path");
    const stagingPath = parseNodePath(request.stagingPath, "staging path");
    await this.#lock.run(request.volumeId, rpc, () => this.#publish(request, path, stagingPath, call));
    call.log.info(`Successfully mounted ${path}`, { rpc, volumeId: request.volumeId, path });
  }

  /** Takes away the volume's mount at the target, and the target. What is not there is fine. */
  async unpublish(request: UnmountRequest, call: Call): Promise<void> {
    const rpc = "NodeUnpublishVolume";
    const { volumeId } = request;
    const path = parseNodePath(request.path, "target path");
    await this.#lock.run(volumeId, rpc, async () => {
      const resolved = await this.#unmount({ ...request, path }, "target path", call);
      if (request.source !== undefined) await this.#work.remove(volumeId, resolved, call);
    });
    call.log.info(`Successfully unmounted ${path}`, { rpc, volumeId, path });
  }

  /** Takes away the volume's mount at the staging path, which is the caller's own. */
  async unstage(request: UnmountRequest, call: Call): Promise<void> {
    const rpc = "NodeUnstageVolume";
    const { volumeId } = request;
    const path = parseNodePath(request.path, "staging path");
    await this.#lock.run(volumeId, rpc, () => this.#unmount({ ...request, path }, "staging path", call));
    call.log.info(`${rpc} succeeded on volume ${volumeId} from path ${path}`, { rpc, volumeId, path });
  }

  #kindOf(volumeId: string, source: MountSource): VolumeKind {
    return source.kind === "bind"
      ? new BindVolume(this.#work, volumeId, source)
      : new NfsVolume(this.#work, volumeId, source);
  }

  async #publish(request: PublishRequest, path: string, stagingPath: string, call: Call): Promise<void> {
    const { volumeId, source } = request;
    const kind = this.#kindOf(volumeId, source);
    const local = source.kind === "bind" ? { source } : {};
    const view = await survey(this.#work.parts, { volumeId, ...local, path, stagingPath }, call.signal);
    checkBelowKubelet(view, "target path");
    const staged = await kind.staged(view, request, stagingPath);
    if (staged === undefined) {
      throw new BerthError(
        "failed-precondition",
        `volume ${volumeId} is not staged at ${stagingPath}: call NodeStageVolume first`,
      );
    }
    const there = view.table.at(view.path);
    if (there !== undefined) {
      if (isPublished(there, staged, `target path ${path}`)) return;
      await this.#takeOutdated(there, view, volumeId, call);
    }
    if (request.targets === "one") checkOnlyTarget(view, staged, volumeId);
    await staged.check(call.signal);
    try {
      await this.#bind(view, staged, { volumeId, storage: kind.storage }, path, call);
    } catch (error) {
      await this.#work.removeQuietly(volumeId, view.path, call);
      throw error;
    }
  }

  async #bind(
    view: View,
    { mount, flags, at }: StagedVolume,
    subject: { readonly volumeId: string; readonly storage: string },
    path: string,
    call: Call,
  ): Promise<void> {
    await this.#work.mount(
      {
        ...subject,
        path: view.path,
        flags,
        isMine: (found) => at(found) === "current",
        verb: "publish",
        args: [mount.mountPoint, parentOf(view.path), nameOf(view.path), printFlags(flags)],
        what: `volume ${subject.volumeId} at target path ${path}`,
        failure: (reply) => publishError(reply, subject.volumeId, mount),
      },
      call,
    );
  }

  /** The volume has been staged anew since (its mount had gone stale): a pod there would not see its files. */
  async #takeOutdated(there: Mount, view: View, volumeId: string, call: Call): Promise<void> {
    call.log.warn("the target has a mount of an earlier staging: mounting it anew", {
      volumeId,
      path: view.path,
    });
    call.effects.begin();
    const subject = { volumeId, storage: storageOfMount(there) };
    await this.#work.unmount(subject, view.path, ({ id }) => id === there.id, view.table, call.signal);
  }

  /** @returns the path, resolved */
  async #unmount({ volumeId, source, path }: UnmountRequest, what: string, call: Call): Promise<string> {
    const local = source?.kind === "bind" ? { source } : {};
    const view = await survey(this.#work.parts, { volumeId, ...local, path }, call.signal);
    checkBelowKubelet(view, what);
    const there = view.table.at(view.path);
    if (there === undefined) return view.path;
    call.effects.begin();
    const isOurs = (mount: Mount, table: MountTable) => {
      if (source?.kind === "nfs") return isNfsMountOf(mount, table, volumeId, source.share);
      return view.tree !== undefined && wasMountOf(mount, view.tree);
    };
    const storage = source?.kind === "bind" ? storageOf(source) : storageOfMount(there);
    await this.#work.unmount({ volumeId, storage }, view.path, isOurs, view.table, call.signal);
    return view.path;
  }
}

/** Whether the wanted mount is there already; false for an outdated one. @throws BerthError when another one is */
function isPublished(there: Mount, { at, flags }: StagedVolume, what: string): boolean {
  const found = at(there);
  if (found === "outdated") return false;
  if (found === "foreign") throw somethingElse(there, what);
  if (!equalFlags(flagsOf(there), flags)) throw otherwise(what);
  return true;
}

function checkOnlyTarget(view: View, { targets }: StagedVolume, volumeId: string): void {
  const other = targets.find(({ mountPoint }) => mountPoint !== view.path);
  if (other === undefined) return;
  throw new BerthError(
    "failed-precondition",
    `volume ${volumeId} is published at ${other.mountPoint} and its access mode allows one target on a node: ` +
      "end the pod that has it, or use ReadWriteMany",
  );
}

function publishError(reply: Reply, volumeId: string, staged: Mount): BerthError | undefined {
  if (reply.exitCode !== exitCodes.notTheDirectory && !saysStale(reply)) return undefined;
  return new BerthError(
    "unavailable",
    `volume ${volumeId}: its mount at ${staged.mountPoint} has gone stale (${staged.source} was removed or restored on ` +
      "the server): NodeStageVolume mounts it anew; Kubernetes calls that before it tries again",
    { cause: reply },
  );
}
