import type { Clock } from "../../../core/clock.ts";
import { BerthError } from "../../../core/errors.ts";
import { Identity, Node } from "../../../gen/csi/v1/csi_pb.ts";
import type { Caller } from "../../calls.ts";
import type { Note, PodEvent } from "../events.ts";
import type { Pod, PodVolume } from "../objects.ts";
import { untilReady } from "../ready.ts";
import { type Backoff, untilOk } from "../retry.ts";
import { KubeletCalls, stepTimeoutMs } from "./kubelet-calls.ts";
import { targetPath } from "./kubelet-paths.ts";
import { KubeletVolumes, type PodMounts, type Repeat } from "./kubelet-volumes.ts";
import type { NodeFiles } from "./node-files.ts";

const backoff: Backoff = { firstMs: 500, longestMs: 122_000 };

/** Where kubelet has mounted one of a pod's volumes. */
export interface MountedVolume {
  readonly podVolume: PodVolume;
  readonly path: string;
}

/** Runs what a pod runs, once its volumes are there. */
export interface PodRuntime {
  start(pod: Pod, volumes: readonly MountedVolume[]): Promise<void>;
  /** Ends the pod's processes; none is left when it resolves. */
  stop(pod: Pod): Promise<void>;
}

export interface KubeletOptions {
  readonly nodeName: string;
  /** `/var/lib/kubelet` of this node. */
  readonly root: string;
  readonly caller: Caller;
  readonly runtime: PodRuntime;
  readonly files: NodeFiles;
  readonly clock: Clock;
  readonly note: Note;
  readonly event?: PodEvent;
  /** Whether the driver wants to be told of the pod; not unless given. */
  readonly podInfo?: () => boolean;
}

interface PodRecord extends PodMounts {
  /** Aborted when the pod is to go: no further attempt to mount for it. */
  readonly begun: AbortController;
  /** `failed`: its volumes are there, but it does not start. */
  phase: "creating" | "running" | "failed" | "ending";
  /** What is being done to make it run. */
  work: Promise<void> | undefined;
}

/**
 * One node's kubelet. What its volume manager does in a loop every 100 ms, this does whenever `reconcile` is
 * called: unmounts, then mounts, then unstages.
 */
export class Kubelet {
  readonly nodeName: string;
  readonly #options: KubeletOptions;
  readonly #volumes: KubeletVolumes;
  readonly #pods = new Map<string, PodRecord>();
  readonly #steps = new Set<string>();
  readonly #repeat: Repeat = async (step, attempt, signal, onFailure = () => {}) => {
    const name = `${this.nodeName}: ${step}`;
    this.#steps.add(name);
    try {
      return await untilOk(name, attempt, { backoff, clock: this.#options.clock, signal, onFailure });
    } finally {
      this.#steps.delete(name);
    }
  };

  constructor(options: KubeletOptions) {
    this.nodeName = options.nodeName;
    this.#options = options;
    const { nodeName, root, caller, files, note, event = () => {}, podInfo = () => false } = options;
    this.#volumes = new KubeletVolumes({
      nodeName,
      calls: new KubeletCalls({ root, caller, files, podInfo }),
      repeat: this.#repeat,
      note,
      event,
      isUsed: (handle) => this.#isUsed(handle),
      isKept: (handle) => this.#isKept(handle),
    });
  }

  /**
   * What a plugin that registers is asked: by its registrar who it is, by kubelet which node it is.
   * @returns the driver's name for this node
   */
  async register(signal: AbortSignal): Promise<string> {
    const { caller, clock } = this.#options;
    await untilReady(caller, clock, signal);
    const name = { why: "node-driver-registrar asks for the driver's name", timeoutMs: stepTimeoutMs };
    await this.#repeat("GetPluginInfo", () => caller.call(Identity.method.getPluginInfo, {}, name), signal);
    const how = { why: "kubelet has found the plugin, and asks which node it is", timeoutMs: stepTimeoutMs };
    const info = () => caller.call(Node.method.nodeGetInfo, {}, how);
    return (await this.#repeat("NodeGetInfo", info, signal)).nodeId;
  }

  /** What it is doing, for messages. */
  get steps(): readonly string[] {
    return [...this.#steps];
  }

  /** `undefined` for a pod that is not here. */
  phaseOf(pod: Pod): PodRecord["phase"] | undefined {
    return this.#pods.get(pod.uid)?.phase;
  }

  /** Whether the volume is, or may be, mounted here. */
  holds(handle: string): boolean {
    return this.#volumes.has(handle) || this.#isUsed(handle);
  }

  /**
   * Kubelet comes up again, or the whole node: what it finds of volumes in its directory is uncertain.
   * @param pods "gone" after a reboot: their processes have to be started anew
   */
  restart(pods: "gone" | "running"): void {
    this.#volumes.restart();
    for (const record of this.#pods.values()) {
      for (const name of record.mounts.keys()) record.mounts.set(name, "uncertain");
      if (pods === "gone" && record.phase === "running") record.phase = "creating";
    }
  }

  /** Whether `reconcile` with these pods would have nothing to do that is not done or under way. */
  isAt(desired: readonly Pod[]): boolean {
    const wanted = new Set(desired.map(({ uid }) => uid));
    const records = [...this.#pods.values()];
    return (
      records.every(({ pod, phase }) => wanted.has(pod.uid) || phase === "ending") &&
      desired.every((pod) => isAttended(this.#pods.get(pod.uid))) &&
      this.#volumes.isAtRest()
    );
  }

  /** Makes the node hold these pods and no others. @throws BerthError when the signal ends its patience */
  async reconcile(desired: readonly Pod[], signal: AbortSignal): Promise<void> {
    const wanted = new Set(desired.map(({ uid }) => uid));
    const leaving = [...this.#pods.values()].filter(({ pod }) => !wanted.has(pod.uid));
    const work = leaving.map((record) => this.#endPod(record, signal));
    for (const pod of desired) {
      const record = this.#pods.get(pod.uid) ?? this.#newRecord(pod);
      if (isComplete(record) || record.phase === "failed") continue;
      record.work ??= this.#beginPod(record, signal).finally(() => {
        record.work = undefined;
      });
      work.push(record.work);
    }
    await Promise.all([...work, ...this.#volumes.unstageAllUnused(signal)]);
  }

  #newRecord(pod: Pod): PodRecord {
    const begun = new AbortController();
    const record: PodRecord = { pod, mounts: new Map(), begun, phase: "creating", work: undefined };
    this.#pods.set(pod.uid, record);
    return record;
  }

  async #beginPod(record: PodRecord, signal: AbortSignal): Promise<void> {
    const { pod, begun } = record;
    const patience = AbortSignal.any([signal, begun.signal]);
    try {
      await Promise.all(pod.volumes.map((each) => this.#volumes.mount(record, each, patience)));
      if (begun.signal.aborted || record.phase !== "creating") return;
      const mounted = pod.volumes.map((podVolume) => ({
        podVolume,
        path: targetPath(this.#options.root, pod, podVolume),
      }));
      await this.#options.runtime.start(pod, mounted);
      if (record.phase === "creating") record.phase = "running";
    } catch (reason) {
      if (begun.signal.aborted) return; // its volumes are no longer wanted
      if (!signal.aborted) record.phase = "failed";
      if (reason instanceof BerthError) this.#options.event?.(pod, "Failed", reason.message);
      throw reason;
    }
  }

  async #endPod(record: PodRecord, signal: AbortSignal): Promise<void> {
    if (record.phase === "ending") return;
    record.phase = "ending";
    record.begun.abort();
    const { pod } = record;
    const stopped = this.#stopPod(record);
    await Promise.all(pod.volumes.map((each) => this.#volumes.unmount(record, each, stopped, signal)));
    this.#pods.delete(pod.uid);
    for (const { volume } of pod.volumes) await this.#volumes.unstageUnused(volume, signal);
  }

  /** What is under way to start it ends first: it has been told. */
  async #stopPod({ pod, work }: PodRecord): Promise<void> {
    await work?.catch(() => {}); // whether it started does not matter to its end
    await this.#options.runtime.stop(pod);
  }

  #isUsed(handle: string): boolean {
    return [...this.#pods.values()].some(({ pod }) => hasVolume(pod, handle));
  }

  /** By a pod that stays. */
  #isKept(handle: string): boolean {
    return [...this.#pods.values()].some(({ pod, phase }) => phase !== "ending" && hasVolume(pod, handle));
  }
}

function hasVolume(pod: Pod, handle: string): boolean {
  return pod.volumes.some(({ volume }) => volume.handle === handle);
}

function isComplete({ pod, mounts, phase }: PodRecord): boolean {
  return phase === "running" && pod.volumes.every(({ name }) => mounts.get(name) === "mounted");
}

function isAttended(record: PodRecord | undefined): boolean {
  return (
    record !== undefined && (record.work !== undefined || record.phase === "failed" || isComplete(record))
  );
}
