import type { CallResult } from "../../csi-client.ts";
import type { Note, PodEvent } from "../events.ts";
import type { PersistentVolume, Pod, PodVolume } from "../objects.ts";
import { type Failure, isFinal, printFailure } from "../retry.ts";
import type { KubeletCalls } from "./kubelet-calls.ts";
import { SerialQueues } from "./serial-queues.ts";

/** A mount as kubelet knows it: after a doubtful answer it may or may not be there. */
export type MountState = "uncertain" | "mounted";

/** A pod, and what is mounted for it. */
export interface PodMounts {
  readonly pod: Pod;
  /** By the volume's name in the pod. */
  readonly mounts: Map<string, MountState>;
}

/** Repeats a step until it succeeds. @throws BerthError when the signal ends its patience */
export type Repeat = <T>(
  step: string,
  attempt: () => Promise<CallResult<T>>,
  signal: AbortSignal,
  onFailure?: (failure: Failure) => void,
) => Promise<T>;

export interface KubeletVolumesOptions {
  readonly nodeName: string;
  readonly calls: KubeletCalls;
  readonly repeat: Repeat;
  readonly note: Note;
  readonly event: PodEvent;
  /** Whether a pod of this node has the volume. */
  readonly isUsed: (handle: string) => boolean;
  /** Whether one has it that stays. */
  readonly isKept: (handle: string) => boolean;
}

/**
 * What of volumes is mounted on a node. Operations on one volume follow each other; those on different volumes
 * go on side by side, so that a dead server holds up its own volumes only.
 */
export class KubeletVolumes {
  readonly #options: KubeletVolumesOptions;
  readonly #queues = new SerialQueues();
  /** By handle. */
  readonly #devices = new Map<
    string,
    { readonly volume: PersistentVolume; readonly state: MountState | "not-needed" }
  >();
  /** Handles of devices that go. */
  readonly #unstaging = new Set<string>();

  constructor(options: KubeletVolumesOptions) {
    this.#options = options;
  }

  has(handle: string): boolean {
    return this.#devices.has(handle);
  }

  /** Whether all that no pod uses goes already. */
  isAtRest(): boolean {
    return this.#unused().length === 0;
  }

  /** What is found of devices after a restart is uncertain. */
  restart(): void {
    for (const [handle, { volume, state }] of this.#devices) {
      if (state === "mounted") this.#devices.set(handle, { volume, state: "uncertain" });
    }
  }

  unstageAllUnused(signal: AbortSignal): Promise<void>[] {
    return this.#unused().map((volume) => this.unstageUnused(volume, signal));
  }

  async mount(record: PodMounts, podVolume: PodVolume, signal: AbortSignal): Promise<void> {
    const { pod } = record;
    const { handle } = podVolume.volume;
    await this.#options.repeat(
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
  async #stageAndPublish(record: PodMounts, podVolume: PodVolume): Promise<CallResult<unknown>> {
    const { volume, name, lifecycle } = podVolume;
    if (record.mounts.get(name) === "mounted") return done;
    if (lifecycle === "Persistent") {
      const result = await this.#stage(volume);
      if (result.status === "error") return result;
    }
    const result = await this.#options.calls.publish(record.pod, podVolume);
    if (result.status === "ok") record.mounts.set(name, "mounted");
    else if (!isFinal(result.code)) record.mounts.set(name, "uncertain");
    else if (record.mounts.get(name) !== "uncertain")
      await this.#options.calls.removeTargetPath(record.pod, podVolume);
    return result;
  }

  async #stage(volume: PersistentVolume): Promise<CallResult<unknown>> {
    const state = this.#devices.get(volume.handle)?.state;
    if (state === "mounted") this.#note("mounted on this node already: no NodeStageVolume");
    if (state === "mounted" || state === "not-needed") return done;
    const result = await this.#options.calls.stage(volume);
    if (result.status === "ok") {
      const now = result.response === "staged" ? "mounted" : "not-needed";
      this.#devices.set(volume.handle, { volume, state: now });
    } else if (!isFinal(result.code) || state === "uncertain") {
      this.#devices.set(volume.handle, { volume, state: "uncertain" });
    } else {
      await this.#options.calls.removeStagingPath(volume);
    }
    return result;
  }

  /** Takes its place in the volume's queue at once, before what comes to the node in its stead. */
  async unmount(
    record: PodMounts,
    podVolume: PodVolume,
    stopped: Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { pod, mounts } = record;
    const unpublish = async () => {
      await stopped;
      if (!mounts.has(podVolume.name)) return done;
      const result = await this.#options.calls.unpublish(pod, podVolume);
      if (result.status === "ok") {
        await this.#options.calls.removeTargetPath(pod, podVolume);
        mounts.delete(podVolume.name);
      }
      return result;
    };
    await this.#options.repeat(
      `unmounting the volume of pod ${pod.name}`,
      () => this.#queues.run(podVolume.volume.handle, unpublish),
      signal,
      (failure) => this.#reportUnmount(pod, podVolume, failure),
    );
  }

  async unstageUnused(volume: PersistentVolume, signal: AbortSignal): Promise<void> {
    const unstage = async () => {
      const device = this.#devices.get(volume.handle);
      if (device === undefined || this.#options.isUsed(volume.handle)) return done;
      const result = await this.#options.calls.unstage(volume);
      if (result.status === "ok") {
        if (device.state !== "not-needed") await this.#options.calls.removeStagingPath(volume);
        this.#devices.delete(volume.handle);
      }
      return result;
    };
    if (this.#options.isUsed(volume.handle)) {
      if (this.#options.isKept(volume.handle)) this.#note("another pod here uses it: no NodeUnstageVolume");
      return;
    }
    this.#unstaging.add(volume.handle);
    const attempt = () => this.#queues.run(volume.handle, unstage);
    try {
      await this.#options.repeat(`unmounting ${volume.handle}`, attempt, signal);
    } finally {
      this.#unstaging.delete(volume.handle);
    }
  }

  #unused(): PersistentVolume[] {
    return [...this.#devices.values()]
      .map(({ volume }) => volume)
      .filter(({ handle }) => !this.#options.isUsed(handle) && !this.#unstaging.has(handle));
  }

  #reportMount(pod: Pod, { volume }: PodVolume, failure: Failure): void {
    const text = `MountVolume failed for volume "${volume.name}": ${printFailure(failure)}`;
    this.#options.event(pod, "FailedMount", text);
  }

  #reportUnmount(pod: Pod, { volume }: PodVolume, failure: Failure): void {
    const text = `UnmountVolume.TearDown failed for volume "${volume.name}": ${printFailure(failure)}`;
    this.#options.event(pod, "FailedUnmount", text);
  }

  #note(text: string): void {
    this.#options.note(this.#options.nodeName, text);
  }
}

const done: CallResult<unknown> = { status: "ok", response: undefined };
const cancelled: CallResult<unknown> = {
  status: "error",
  code: "CANCELLED",
  message: "the pod is no longer wanted",
};
