import type { Call } from "../../core/call.ts";
import { BerthError } from "../../core/errors.ts";
import { otherwise, somethingElse } from "../bind-volume.ts";
import { exitCodes, type Reply } from "../helpers/helper-script.ts";
import { combineFlags, equalFlags, flagsOf, type MountWish } from "../mounts/mount-flags.ts";
import { isNfsMountOf, isNfsVolume, type NfsSource, pathOfNfs, storageOf } from "../mounts/mount-source.ts";
import { isWithin, type Mount, type MountTable } from "../mounts/mount-table.ts";
import type { MountWork } from "../mounts/mount-work.ts";
import { nameOf, parentOf } from "../mounts/node-path.ts";
import { checkBelowKubelet, survey, type View } from "../mounts/survey.ts";
import type { StagedVolume, VolumeKind } from "../volume-kind.ts";
import { differingOption } from "./nfs-differences.ts";
import { nfsMountError, saysStale } from "./nfs-mount-error.ts";
import { type NfsPlan, type NfsWish, nfsWish, planNfs, serverAnswers } from "./nfs-plan.ts";

/** A volume on an NFS export: staging is a mount of its directory by the kernel's client, with a superblock of its own. */
export class NfsVolume implements VolumeKind {
  readonly storage: string;
  readonly #work: MountWork;
  readonly #volumeId: string;
  readonly #source: NfsSource;

  constructor(work: MountWork, volumeId: string, source: NfsSource) {
    this.#work = work;
    this.#volumeId = volumeId;
    this.#source = source;
    this.storage = storageOf(source);
  }

  async stage(mountWish: MountWish, path: string, call: Call): Promise<void> {
    const wish = nfsWish(this.#source, mountWish);
    const view = await survey(this.#work.parts, { volumeId: this.#volumeId, path }, call.signal);
    checkBelowKubelet(view, "staging path");
    const what = `staging path ${path}`;
    const there = view.table.at(view.path);
    const state = there === undefined ? "none" : this.#judge(there, view.table, wish, what);
    const plan = await planNfs(this.#work.parts.servers, wish, this.#work.parts.limits, call.signal);
    if (there !== undefined) {
      if (state === "current" && (await this.#isWhole(there, view, plan, call))) return;
      call.log.warn(`${what} has a mount that no longer leads to the volume: mounting it anew`, {
        volumeId: this.#volumeId,
        path,
      });
      await this.#takeAway(there, view, call);
    }
    await this.#mount(view.path, wish, plan, what, call);
  }

  /** Mounts the volume's directory at a path where nothing is mounted. */
  async mountAt(path: string, wish: NfsWish, what: string, call: Call): Promise<void> {
    const { servers, limits } = this.#work.parts;
    await this.#mount(path, wish, await planNfs(servers, wish, limits, call.signal), what, call);
  }

  async staged(view: View, mountWish: MountWish, stagingPath: string): Promise<StagedVolume | undefined> {
    const wish = nfsWish(this.#source, mountWish);
    const mount = view.stagingPath === undefined ? undefined : view.table.at(view.stagingPath);
    if (mount === undefined || !isNfsVolume(mount)) return undefined;
    if (mount.source !== wish.text) throw this.#usedTwice(mount, wish.text);
    // A bind mount of something within the volume, as kubelet makes them for subPath, has a longer source.
    const isCurrent = (other: Mount) => other.device === mount.device && other.source === wish.text;
    const isSame = (other: Mount) =>
      isCurrent(other) || (other.source === wish.text && this.#isOurs(other, view.table));
    return {
      mount,
      flags: combineFlags(
        flagsOf(mount),
        { readOnly: mountWish.readOnly, options: wish.options.general },
        `staging path ${stagingPath}`,
      ),
      at: (there) => (isCurrent(there) ? "current" : isSame(there) ? "outdated" : "foreign"),
      targets: view.table.mounts.filter(
        (other) =>
          isSame(other) &&
          isWithin(other.mountPoint, view.kubeletDir) &&
          other.mountPoint !== view.stagingPath,
      ),
      check: (signal) => this.#checkServer(mount, signal),
    };
  }

  /** What a mount at the staging path is worth, by the table alone. @throws BerthError when it is in the way */
  #judge(there: Mount, table: MountTable, wish: NfsWish, what: string): "current" | "moved" {
    if (!isNfsVolume(there)) throw somethingElse(there, what);
    if (there.source !== wish.text) {
      // The configuration may say of a new server where the volume was mounted from the old one. As long as a pod
      // on this node has the old, another pod must not get the new: two truths for one volume.
      const moved =
        this.#source.configured && pathOfNfs(there) === pathOfNfs({ ...there, source: wish.text });
      if (moved && !isUsed(there, table)) return "moved";
      throw this.#usedTwice(there, wish.text);
    }
    if (!equalFlags(flagsOf(there), wish.flags)) throw otherwise(what);
    const option = differingOption(wish.asked, there.superOptions);
    if (option !== undefined) throw this.#mountedOtherwise(there, what, option);
    return "current";
  }

  /**
   * Whether the mount still leads to the directory that the server has there now. The server has just answered, so
   * looking will not hang; and if it does, it is killed.
   */
  async #isWhole(there: Mount, view: View, { fileid }: NfsPlan, call: Call): Promise<boolean> {
    const { limits } = this.#work.parts;
    const subject = { volumeId: this.#volumeId, storage: this.storage };
    const reply = await this.#work.step(subject, "look", [view.path], call.signal, limits.lookMsMax);
    if (reply.exitCode === 0) {
      if (fileid === undefined || reply.output.split(" ")[0] === `${fileid}`) return true;
      if (!isUsed(there, view.table)) return false;
      throw new BerthError(
        "failed-precondition",
        `volume ${this.#volumeId}: ${there.source} is another directory now than the one that pods on this node have ` +
          "(somebody moved it on the server): end them, or put the directory back",
      );
    }
    if (saysStale(reply)) return false;
    throw new BerthError(
      "unavailable",
      `volume ${this.#volumeId}: its mount at ${view.path} cannot be looked at: see the node's kernel log; Kubernetes tries again`,
      { cause: reply },
    );
  }

  async #takeAway(there: Mount, view: View, call: Call): Promise<void> {
    call.effects.begin();
    const subject = { volumeId: this.#volumeId, storage: this.storage };
    await this.#work.unmount(subject, view.path, ({ id }) => id === there.id, view.table, call.signal);
  }

  async #mount(path: string, wish: NfsWish, plan: NfsPlan, what: string, call: Call): Promise<void> {
    if (plan.warning !== undefined) call.log.warn(plan.warning, { volumeId: this.#volumeId, path });
    await this.#work.mount(
      {
        volumeId: this.#volumeId,
        storage: this.storage,
        path,
        flags: wish.flags,
        isMine: (mount) => isNfsVolume(mount) && mount.source === wish.text,
        verb: "mount_nfs",
        args: [wish.text, plan.options, parentOf(path), nameOf(path), this.#expected(plan)],
        what: `volume ${this.#volumeId} at ${what}`,
        failure: (reply: Reply) =>
          reply.exitCode === exitCodes.anotherDirectory
            ? this.#exchanged(wish.text)
            : nfsMountError(reply, wish.text, wish.options),
      },
      call,
    );
  }

  /**
   * Which directory the mount must lead to: between a look at a path and a mount of it, whoever may write above it
   * can exchange it, also for a symbolic link, which a server of NFS 3 follows. A volume that Berth did not make may
   * lie where user space does not get (another file system of the server's), and is taken as it is.
   */
  #expected({ fileid }: NfsPlan): string {
    return fileid === undefined || this.#source.record === undefined ? "" : `${fileid}`;
  }

  #exchanged(text: string): BerthError {
    return new BerthError(
      "failed-precondition",
      `volume ${this.#volumeId}: the kernel has mounted another directory from ${text} than the volume's own, and it was ` +
        "taken away again: look on the server who moves that directory, or puts a link in its place",
    );
  }

  async #checkServer(mount: Mount, signal: AbortSignal): Promise<void> {
    const { servers, limits } = this.#work.parts;
    if (await serverAnswers(servers, mount, limits, signal)) return;
    throw new BerthError(
      "unavailable",
      `volume ${this.#volumeId}: the NFS server of ${mount.source} does not answer this node: ` +
        "bring it back; until then a pod with the volume would hang",
    );
  }

  #isOurs(mount: Mount, table: MountTable): boolean {
    return isNfsMountOf(mount, table, this.#volumeId, this.#source.location.share);
  }

  /** The kernel's options are not changed under pods that rely on them. */
  #mountedOtherwise({ superOptions }: Mount, what: string, option: string): BerthError {
    return new BerthError(
      "already-exists",
      `${what} has volume ${this.#volumeId} already, with another ${option} than is asked for now ` +
        `(the kernel has ${superOptions.join(",")}): end the pods that use the volume on this node, or ask for the same`,
    );
  }

  /** Two PersistentVolumes with one handle: kubelet takes them for one volume, and a pod would get the other's data. */
  #usedTwice(there: Mount, wanted: string): BerthError {
    return new BerthError(
      "already-exists",
      `volume ${this.#volumeId} is mounted from ${there.source} on this node, and is asked for from ${wanted}: ` +
        "give each PersistentVolume a volumeHandle of its own, or, if the server has moved, end the pods that use the volume here",
    );
  }
}

/** Whether a pod may have it: another mount of the same superblock. */
function isUsed(staged: Mount, table: MountTable): boolean {
  return table.mounts.some(({ id, device }) => id !== staged.id && device === staged.device);
}
