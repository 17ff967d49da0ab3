import type { Call } from "../core/call.ts";
import { BerthError } from "../core/errors.ts";
import { KeyedLock } from "../core/keyed-lock.ts";
import { exitCodes, type Reply, stepError, type Verb } from "./helper-script.ts";
import type { Helpers } from "./helpers.ts";
import {
  combineFlags,
  equalFlags,
  flagsOf,
  type MountFlags,
  type MountWish,
  printFlags,
} from "./mount-flags.ts";
import { isMountOf, type MountSource, type VolumeTree } from "./mount-source.ts";
import { isWithin, type MountTable, type MountTableReader, readMountTable } from "./mount-table.ts";
import { type NodeLimits, nodeLimits } from "./node-limits.ts";
import { nameOf, parentOf, parseNodePath } from "./node-path.ts";
import { checkBelowKubelet, type SurveyParts, survey, type View } from "./survey.ts";
import { unmountAll } from "./unmount.ts";

export interface NodeParts {
  readonly helpers: Helpers;
  readonly kubeletDir: string;
  readonly readTable?: MountTableReader;
  readonly limits?: NodeLimits;
}

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
  /** Undefined for an id that is not ours, or whose share this node does not know. */
  readonly source: MountSource | undefined;
  readonly path: string;
}

/**
 * The volumes of one node: staged once, published for each pod, by bind mounts. The kernel's mount
 * table is the only state, read anew in each call and again after each step; a restart loses nothing.
 *
 * A read-only mount takes the kernel two steps. A machine that dies between them leaves a mount with
 * other flags, which the next call refuses as `already-exists`; an error or a deadline is undone.
 */
export class NodeVolumes {
  readonly #parts: SurveyParts;
  readonly #lock = new KeyedLock();

  constructor({ helpers, kubeletDir, readTable = readMountTable, limits = nodeLimits }: NodeParts) {
    this.#parts = { helpers, readTable, limits, kubeletDir: parseNodePath(kubeletDir, "kubelet directory") };
  }

  /**
   * Mounts the volume's directory at the staging path.
   * @throws BerthError `not-found` without the volume's record; `already-exists` when staged with other
   * flags; `failed-precondition` when something else is in the way; `invalid-argument` for path or flags
   */
  async stage(request: StageRequest, call: Call): Promise<void> {
    const rpc = "NodeStageVolume";
    const path = parseNodePath(request.stagingPath, "staging path");
    await this.#lock.run(request.volumeId, rpc, () => this.#stage(request, path, call));
    const { volumeId } = request;
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
      if (request.source !== undefined) await this.#remove(volumeId, resolved, call);
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

  async #stage(request: StageRequest, path: string, call: Call): Promise<void> {
    const { volumeId, source } = request;
    const view = await survey(this.#parts, { volumeId, source, path }, call.signal);
    checkBelowKubelet(view, "staging path");
    const tree = knownTree(view);
    const under = view.table.holding(tree.directoryPath);
    const share = `share ${source.shareName}`;
    const flags = combineFlags(flagsOf(under), request, share);
    if (isThere(view, tree, flags, `staging path ${path}`)) return;
    if (under.superOptions.includes("ro") && !flags.restrictions.has("ro")) {
      throw new BerthError(
        "failed-precondition",
        `${share} (${source.sharePath}) is read-only on this node: make its file system writable, or use a read-only access mode`,
      );
    }
    await this.#mount(view, tree, flags, call, volumeId, (at) => ({
      verb: "stage",
      args: [tree.recordPath, tree.directoryPath, parentOf(at), nameOf(at), printFlags(flags)],
      subject: `volume ${volumeId} at staging path ${path}`,
      failure: (reply) => stageError(reply, request),
    }));
  }

  async #publish(request: PublishRequest, path: string, stagingPath: string, call: Call): Promise<void> {
    const { volumeId, source } = request;
    const view = await survey(this.#parts, { volumeId, source, path, stagingPath }, call.signal);
    checkBelowKubelet(view, "target path");
    const tree = knownTree(view);
    const staged = view.stagingPath === undefined ? undefined : view.table.at(view.stagingPath);
    if (staged === undefined || !isMountOf(staged, tree)) {
      throw new BerthError(
        "failed-precondition",
        `volume ${volumeId} is not staged at ${stagingPath}: call NodeStageVolume first`,
      );
    }
    const flags = combineFlags(flagsOf(staged), request, `staging path ${stagingPath}`);
    if (isThere(view, tree, flags, `target path ${path}`)) return;
    if (request.targets === "one") checkOnlyTarget(view, tree, volumeId);
    const subject = `volume ${volumeId} at target path ${path}`;
    try {
      await this.#mount(view, tree, flags, call, volumeId, (at) => ({
        verb: "publish",
        args: [staged.mountPoint, parentOf(at), nameOf(at), printFlags(flags)],
        subject,
        failure: () => undefined,
      }));
    } catch (error) {
      await this.#removeQuietly(volumeId, view.path, call);
      throw error;
    }
  }

  /** Mounts, and looks whether what is there now is what was meant; if not, nothing stays. */
  async #mount(
    view: View,
    tree: VolumeTree,
    flags: MountFlags,
    call: Call,
    volumeId: string,
    stepAt: (path: string) => MountStep,
  ): Promise<void> {
    const step = stepAt(view.path);
    call.effects.begin();
    try {
      const reply = await this.#step(volumeId, step.verb, step.args, call.signal);
      if (reply.exitCode !== 0) {
        throw step.failure(reply) ?? stepError(step.verb, reply, step.subject);
      }
      const mount = (await this.#parts.readTable()).at(view.path);
      if (mount === undefined || !isMountOf(mount, tree) || !equalFlags(flagsOf(mount), flags)) {
        throw new BerthError(
          "unavailable",
          `${step.subject}: mounted, but the kernel's mount table shows something else: look who else mounts there`,
        );
      }
    } catch (error) {
      await this.#undo(view, tree, call, volumeId);
      throw error;
    }
  }

  /** After a failed mount, which may have happened in part. Nothing was mounted there before. */
  async #undo(view: View, tree: VolumeTree, call: Call, volumeId: string): Promise<void> {
    try {
      const table = await this.#parts.readTable();
      await unmountAll(this.#unmounter(volumeId, undefined), volumeId, view.path, tree, table);
    } catch (error) {
      const reason = BerthError.from(error);
      call.log.warn(`cannot undo a failed mount: ${reason.message}`, { volumeId, path: view.path });
      throw new BerthError("unavailable", `volume ${volumeId}: a failed mount could not be undone: retry`, {
        cause: reason,
      });
    }
  }

  /** @returns the path, resolved */
  async #unmount(request: UnmountRequest, what: string, call: Call): Promise<string> {
    const view = await survey(this.#parts, request, call.signal);
    checkBelowKubelet(view, what);
    if (view.table.at(view.path) !== undefined) call.effects.begin();
    const unmounter = this.#unmounter(request.volumeId, call.signal);
    await unmountAll(unmounter, request.volumeId, view.path, view.tree, view.table);
    return view.path;
  }

  async #remove(volumeId: string, path: string, call: Call): Promise<void> {
    const reply = await this.#step(volumeId, "remove", [path], call.signal);
    if (reply.exitCode !== 0) throw stepError("remove", reply, `volume ${volumeId}: target path ${path}`);
  }

  /** After a failed publish; its own failure is told by unpublish, which comes to it again. */
  async #removeQuietly(volumeId: string, path: string, call: Call): Promise<void> {
    try {
      const reply = await this.#step(volumeId, "remove", [path], undefined);
      if (reply.exitCode === 0) return;
      call.log.warn("the target of a failed publish stays", { volumeId, path, exitCode: reply.exitCode });
    } catch (error) {
      call.log.warn("the target of a failed publish stays", {
        volumeId,
        path,
        error: BerthError.from(error),
      });
    }
  }

  #unmounter(volumeId: string, signal: AbortSignal | undefined) {
    return {
      readTable: this.#parts.readTable,
      stackedMax: this.#parts.limits.stackedMountsMax,
      step: (verb: "unmount" | "detach", path: string) => this.#step(volumeId, verb, [path], signal),
    };
  }

  #step(
    volumeId: string,
    verb: Verb,
    args: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Reply> {
    const { helpers, limits } = this.#parts;
    return helpers.run({ volumeId, verb, args, timeoutMs: limits.stepMsMax, ...(signal && { signal }) });
  }
}

interface MountStep {
  readonly verb: Verb;
  readonly args: readonly string[];
  /** What messages are about. */
  readonly subject: string;
  /** What the step's own exit codes mean; undefined for those of every step. */
  readonly failure: (reply: Reply) => BerthError | undefined;
}

function knownTree({ tree }: View): VolumeTree {
  if (tree === undefined) throw new BerthError("internal", "a volume without a source cannot be mounted");
  return tree;
}

/** Whether the wanted mount is there already. @throws BerthError when another one is */
function isThere({ table, path }: View, tree: VolumeTree, flags: MountFlags, what: string): boolean {
  const mount = table.at(path);
  if (mount === undefined) return false;
  if (!isMountOf(mount, tree)) {
    throw new BerthError(
      "failed-precondition",
      `${what} is a mount of something else (${mount.source} ${mount.root}): unmount it, or use another path`,
    );
  }
  if (equalFlags(flagsOf(mount), flags)) return true;
  throw new BerthError(
    "already-exists",
    `${what} has the volume already, mounted in another way: unmount it first, or ask for the same`,
  );
}

function checkOnlyTarget(view: View, tree: VolumeTree, volumeId: string): void {
  const other = targetsOf(view.table, tree, view.kubeletDir).find((path) => path !== view.stagingPath);
  if (other === undefined) return;
  throw new BerthError(
    "failed-precondition",
    `volume ${volumeId} is published at ${other} and its access mode allows one target on a node: ` +
      "end the pod that has it, or use ReadWriteMany",
  );
}

function targetsOf(table: MountTable, tree: VolumeTree, kubeletDir: string): string[] {
  return table
    .of(tree.directory)
    .map((mount) => mount.mountPoint)
    .filter((path) => isWithin(path, kubeletDir));
}

function stageError({ exitCode }: Reply, { volumeId, source }: StageRequest): BerthError | undefined {
  const share = `share ${source.shareName} (${source.sharePath})`;
  if (exitCode === exitCodes.noRecord) {
    return new BerthError(
      "not-found",
      `volume ${volumeId} has no record on ${share} as this node sees it: create it, or mount the right share there`,
    );
  }
  if (exitCode !== exitCodes.notTheDirectory) return undefined;
  return new BerthError(
    "failed-precondition",
    `volume ${volumeId}: ${source.name} on ${share} is not a directory: put back the volume's own`,
  );
}
