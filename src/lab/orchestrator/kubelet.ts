import type { Clock } from "../../core/clock.ts";
import { BerthError } from "../../core/errors.ts";
import { Identity, Node } from "../../gen/csi/v1/csi_pb.ts";
import type { Caller } from "../calls.ts";
import type { CallResult } from "../csi-client.ts";
import { KubeletCalls, stepTimeoutMs } from "./kubelet-calls.ts";
import { targetPath } from "./kubelet-paths.ts";
import type { NodeFiles } from "./node-files.ts";
import type { PersistentVolume, Pod, PodVolume } from "./objects.ts";
import { untilReady } from "./ready.ts";
import { type Backoff, type Failure, isFinal, untilOk } from "./retry.ts";
import { SerialQueues } from "./serial-queues.ts";

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

/** Hears why kubelet did not call the driver. */
export type Note = (component: string, text: string) => void;

/** Hears what kubelet would report as an event of the pod. */
export type PodEvent = (pod: Pod, reason: string, message: string) => void;

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

/** A mount as kubelet knows it: after a doubtful answer it may or may not be there. */
type MountState = "uncertain" | "mounted";

interface PodRecord {
  readonly pod: Pod;
  /** By the volume's name in the pod. */
  readonly mounts: Map<string, MountState>;
  /** Aborted when the pod is to go: no further attempt to mount for it. */
  readonly begun: AbortController;
  /** `failed`: its volumes are there, but it does not start. */
  phase: "creating" | "running" | "failed" | "ending";
  /** What is being done to make it run. */
  work: Promise<void> | undefined;
}

/**
 * The volume manager of one node's kubelet. What it does in a loop every 100 ms, this does whenever
 * `reconcile` is called: unmounts, then mounts, then unstages. Operations on one volume follow each other;
 * those on different volumes go on side by side, so that a dead server holds up its own volumes only.
 */
export class Kubelet {
  readonly nodeName: string;
  readonly #options: KubeletOptions;
  readonly #calls: KubeletCalls;
  readonly #queues = new SerialQueues();
  /** By handle. */
  readonly #devices = new Map<
    string,
    { readonly volume: PersistentVolume; readonly state: MountState | "not-needed" }
  >();
  readonly #pods = new Map<string, PodRecord>();
  /** Handles of devices that go. */
  readonly #unstaging = new Set<string>();

  constructor(options: KubeletOptions) {
    this.nodeName = options.nodeName;
    this.#options = options;
    const { root, caller, files, podInfo = () => false } = options;
    this.#calls = new KubeletCalls({ root, caller, files, podInfo });
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

  /** `undefined` for a pod that is not here. */
  phaseOf(pod: Pod): PodRecord["phase"] | undefined {
    return this.#pods.get(pod.uid)?.phase;
  }

  /** Whether the volume is, or may be, mounted here. */
  holds(handle: string): boolean {
    return this.#devices.has(handle) || this.#isUsed(handle);
  }

  /**
   * Kubelet comes up again, or the whole node: what it finds of volumes in its directory is uncertain.
   * @param pods "gone" after a reboot: their processes have to be started anew
   */
  restart(pods: "gone" | "running"): void {
    for (const [handle, { volume, state }] of this.#devices) {
      if (state === "mounted") this.#devices.set(handle, { volume, state: "uncertain" });
    }
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
      [...this.#devices.keys()].every((handle) => this.#unstaging.has(handle) || this.#isUsed(handle))
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
    const unused = [...this.#devices.values()]
      .filter(({ volume: { handle } }) => !this.#isUsed(handle) && !this.#unstaging.has(handle))
      .map(({ volume }) => this.#unstageUnused(volume, signal));
    await Promise.all([...work, ...unused]);
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
      await Promise.all(pod.volumes.map((each) => this.#mountVolume(record, each, patience)));
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
    await Promise.all(pod.volumes.map((each) => this.#unmountVolume(record, each, stopped, signal)));
    this.#pods.delete(pod.uid);
    for (const { volume } of pod.volumes) await this.#unstageUnused(volume, signal);
  }

  /** What is under way to start it ends first: it has been told. */
  async #stopPod({ pod, work }: PodRecord): Promise<void> {
    await work?.catch(() => {}); // whether it started does not matter to its end
    await this.#options.runtime.stop(pod);
  }

  async #mountVolume(record: PodRecord, podVolume: PodVolume, signal: AbortSignal): Promise<void> {
    const { pod } = record;
    const { handle } = podVolume.volume;
    await this.#repeat(
      `mounting ${handle} for pod ${pod.name}`,
      () =>
        this.#queues.run(handle, async () => {
          if (signal.aborted) return cancelled;
          return await this.#stageAndPublish(record, podVolume);
        }),
      signal,
      (failure) => this.#reportMount(pod, podVolume, failure),
    );
  }

  /** One operation of kubelet's, repeated as a whole: MountDevice unless that is done, and SetUp. */
  async #stageAndPublish(record: PodRecord, podVolume: PodVolume): Promise<CallResult<unknown>> {
    const { volume, name, lifecycle } = podVolume;
    if (record.mounts.get(name) === "mounted") return done;
    if (lifecycle === "Persistent") {
      const result = await this.#stage(volume);
      if (result.status === "error") return result;
    }
    const result = await this.#calls.publish(record.pod, podVolume);
    if (result.status === "ok") record.mounts.set(name, "mounted");
    else if (!isFinal(result.code)) record.mounts.set(name, "uncertain");
    else if (record.mounts.get(name) !== "uncertain")
      await this.#calls.removeTargetPath(record.pod, podVolume);
    return result;
  }

  async #stage(volume: PersistentVolume): Promise<CallResult<unknown>> {
    const state = this.#devices.get(volume.handle)?.state;
    if (state === "mounted") this.#note("mounted on this node already: no NodeStageVolume");
    if (state === "mounted" || state === "not-needed") return done;
    const result = await this.#calls.stage(volume);
    if (result.status === "ok") {
      const now = result.response === "staged" ? "mounted" : "not-needed";
      this.#devices.set(volume.handle, { volume, state: now });
    } else if (!isFinal(result.code) || state === "uncertain") {
      this.#devices.set(volume.handle, { volume, state: "uncertain" });
    } else {
      await this.#calls.removeStagingPath(volume);
    }
    return result;
  }

  /** Takes its place in the volume's queue at once, before what comes to the node in its stead. */
  async #unmountVolume(
    record: PodRecord,
    podVolume: PodVolume,
    stopped: Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { pod, mounts } = record;
    const unpublish = async () => {
      await stopped;
      if (!mounts.has(podVolume.name)) return done;
      const result = await this.#calls.unpublish(pod, podVolume);
      if (result.status === "ok") {
        await this.#calls.removeTargetPath(pod, podVolume);
        mounts.delete(podVolume.name);
      }
      return result;
    };
    await this.#repeat(
      `unmounting the volume of pod ${pod.name}`,
      () => this.#queues.run(podVolume.volume.handle, unpublish),
      signal,
      (failure) => this.#reportUnmount(pod, podVolume, failure),
    );
  }

  async #unstageUnused(volume: PersistentVolume, signal: AbortSignal): Promise<void> {
    const unstage = async () => {
      const device = this.#devices.get(volume.handle);
      if (device === undefined || this.#isUsed(volume.handle)) return done;
      const result = await this.#calls.unstage(volume);
      if (result.status === "ok") {
        if (device.state !== "not-needed") await this.#calls.removeStagingPath(volume);
        this.#devices.delete(volume.handle);
      }
      return result;
    };
    if (this.#isUsed(volume.handle)) {
      if (this.#isKept(volume.handle)) this.#note("another pod here uses it: no NodeUnstageVolume");
      return;
    }
    this.#unstaging.add(volume.handle);
    const attempt = () => this.#queues.run(volume.handle, unstage);
    try {
      await this.#repeat(`unmounting ${volume.handle}`, attempt, signal);
    } finally {
      this.#unstaging.delete(volume.handle);
    }
  }

  #isUsed(handle: string): boolean {
    return [...this.#pods.values()].some(({ pod }) => hasVolume(pod, handle));
  }

  /** By a pod that stays. */
  #isKept(handle: string): boolean {
    return [...this.#pods.values()].some(({ pod, phase }) => phase !== "ending" && hasVolume(pod, handle));
  }

  #reportMount(pod: Pod, { volume }: PodVolume, failure: Failure): void {
    const text = `MountVolume failed for volume "${volume.name}": ${printFailure(failure)}`;
    this.#options.event?.(pod, "FailedMount", text);
  }

  #reportUnmount(pod: Pod, { volume }: PodVolume, failure: Failure): void {
    const text = `UnmountVolume.TearDown failed for volume "${volume.name}": ${printFailure(failure)}`;
    this.#options.event?.(pod, "FailedUnmount", text);
  }

  #note(text: string): void {
    this.#options.note(this.nodeName, text);
  }

  #repeat<T>(
    step: string,
    attempt: () => Promise<CallResult<T>>,
    signal: AbortSignal,
    onFailure?: (failure: Failure) => void,
  ): Promise<T> {
    const where = `${this.nodeName}: ${step}`;
    const { clock } = this.#options;
    return untilOk(where, attempt, {
      backoff,
      clock,
      signal,
      ...(onFailure === undefined ? {} : { onFailure }),
    });
  }
}

const done: CallResult<unknown> = { status: "ok", response: undefined };
const cancelled: CallResult<unknown> = {
  status: "error",
  code: "CANCELLED",
  message: "the pod is no longer wanted",
};

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

/** As Go's gRPC prints a status. */
export function printFailure({ code, message }: Failure): string {
  return `rpc error: code = ${code} desc = ${message}`;
}
