import { dirname } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { NodeServiceCapability_RPC_Type as Capability, Identity, Node } from "../../gen/csi/v1/csi_pb.ts";
import type { Caller } from "../calls.ts";
import type { CallResult } from "../csi-client.ts";
import { csiAccessMode } from "./access-modes.ts";
import { stagingPath, targetPath } from "./kubelet-paths.ts";
import type { NodeFiles } from "./node-files.ts";
import type { PersistentVolume, Pod } from "./objects.ts";
import { untilReady } from "./ready.ts";
import { type Backoff, isFinal, untilOk } from "./retry.ts";

/** Of each RPC; kubelet gives as much to a whole step. */
const stepTimeoutMs = 120_000;
const backoff: Backoff = { firstMs: 500, longestMs: 122_000 };

/** Runs what a pod runs, once its volume is there. */
export interface PodRuntime {
  start(pod: Pod, volumePath: string): Promise<void>;
  /** Ends the pod's processes; none is left when it resolves. */
  stop(pod: Pod): Promise<void>;
}

/** Hears why kubelet did not call the driver. */
export type Note = (component: string, text: string) => void;

export interface KubeletOptions {
  readonly nodeName: string;
  /** `/var/lib/kubelet` of this node. */
  readonly root: string;
  readonly caller: Caller;
  readonly runtime: PodRuntime;
  readonly files: NodeFiles;
  readonly clock: Clock;
  readonly note: Note;
}

/** A mount as kubelet knows it: after a doubtful answer it may or may not be there. */
type MountState = "uncertain" | "mounted";

/** A volume on the node; `not-needed` for a driver that does not stage. */
interface Device {
  readonly volume: PersistentVolume;
  readonly state: MountState | "not-needed";
}

/**
 * The volume manager of one node's kubelet. What it does in a loop every 100 ms, this does whenever
 * `reconcile` is called: unmounts, then mounts, then unstages.
 */
export class Kubelet {
  readonly nodeName: string;
  readonly #options: KubeletOptions;
  readonly #devices = new Map<string, Device>();
  readonly #pods = new Map<string, { readonly pod: Pod; readonly state: MountState }>();

  constructor(options: KubeletOptions) {
    this.nodeName = options.nodeName;
    this.#options = options;
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

  /** Makes the node hold these pods and no others. @throws BerthError when a step fails for too long */
  async reconcile(desired: readonly Pod[], signal: AbortSignal): Promise<void> {
    const wanted = new Set(desired.map(({ uid }) => uid));
    for (const { pod } of [...this.#pods.values()].filter(({ pod: { uid } }) => !wanted.has(uid))) {
      await this.#endPod(pod, signal);
    }
    for (const pod of desired.filter(({ uid }) => this.#pods.get(uid)?.state !== "mounted")) {
      await this.#beginPod(pod, signal);
    }
    for (const { volume } of [...this.#devices.values()].filter((each) => !this.#isUsed(each.volume))) {
      await this.#repeat(`unmounting ${volume.handle}`, () => this.#unmountDevice(volume), signal);
    }
  }

  async #beginPod(pod: Pod, signal: AbortSignal): Promise<void> {
    const mount = () => this.#mountVolume(pod);
    await this.#repeat(`mounting ${pod.volume.handle} for pod ${pod.name}`, mount, signal);
    await this.#options.runtime.start(pod, targetPath(this.#options.root, pod));
  }

  async #endPod(pod: Pod, signal: AbortSignal): Promise<void> {
    await this.#options.runtime.stop(pod);
    await this.#repeat(`unmounting the volume of pod ${pod.name}`, () => this.#tearDown(pod), signal);
    if (this.#isUsed(pod.volume)) this.#note("another pod here uses it: no NodeUnstageVolume");
  }

  /** One operation of kubelet's, repeated as a whole: MountDevice unless that is done, and SetUp. */
  async #mountVolume(pod: Pod): Promise<CallResult<void>> {
    const state = this.#devices.get(pod.volume.handle)?.state;
    if (state === "mounted") this.#note("mounted on this node already: no NodeStageVolume");
    if (state === undefined || state === "uncertain") {
      const result = await this.#mountDevice(pod.volume);
      if (result.status === "error") return result;
    }
    return await this.#setUp(pod);
  }

  async #mountDevice(volume: PersistentVolume): Promise<CallResult<void>> {
    const capabilities = await this.#ask(
      Capability.STAGE_UNSTAGE_VOLUME,
      Capability.VOLUME_MOUNT_GROUP,
      Capability.SINGLE_NODE_MULTI_WRITER,
    );
    if (capabilities.status === "error") return capabilities;
    if (!capabilities.response.has(Capability.STAGE_UNSTAGE_VOLUME)) {
      this.#devices.set(volume.handle, { volume, state: "not-needed" });
      return { status: "ok", response: undefined };
    }
    const path = stagingPath(this.#options.root, volume);
    await this.#options.files.makeDirectory(path);
    await this.#options.files.writeVolumeData(path, {
      driverName: volume.driver,
      volumeHandle: volume.handle,
    });
    const result = await this.#options.caller.call(
      Node.method.nodeStageVolume,
      {
        volumeId: volume.handle,
        stagingTargetPath: path,
        volumeCapability: capabilityOf(volume, capabilities.response),
        volumeContext: { ...volume.attributes },
      },
      {
        why: "the node's first pod with it: mount it for the node",
        subject: "globalmount",
        timeoutMs: stepTimeoutMs,
      },
    );
    if (result.status === "ok") this.#devices.set(volume.handle, { volume, state: "mounted" });
    else if (isFinal(result.code)) await this.#forgetDevice(volume);
    else this.#devices.set(volume.handle, { volume, state: "uncertain" });
    return withoutResponse(result);
  }

  async #setUp(pod: Pod): Promise<CallResult<void>> {
    const { volume } = pod;
    const capabilities = await this.#ask(
      Capability.STAGE_UNSTAGE_VOLUME,
      Capability.VOLUME_MOUNT_GROUP,
      Capability.SINGLE_NODE_MULTI_WRITER,
    );
    if (capabilities.status === "error") return capabilities;
    const stages = capabilities.response.has(Capability.STAGE_UNSTAGE_VOLUME);
    const path = targetPath(this.#options.root, pod);
    await this.#options.files.makeDirectory(dirname(path));
    await this.#options.files.writeVolumeData(path, {
      driverName: volume.driver,
      nodeName: pod.nodeName,
      specVolID: volume.name,
      volumeHandle: volume.handle,
      volumeLifecycleMode: "Persistent",
    });
    const result = await this.#options.caller.call(
      Node.method.nodePublishVolume,
      {
        volumeId: volume.handle,
        stagingTargetPath: stages ? stagingPath(this.#options.root, volume) : "",
        targetPath: path,
        volumeCapability: capabilityOf(volume, capabilities.response),
        readonly: pod.readOnly,
        volumeContext: { ...volume.attributes },
      },
      {
        why: "every pod gets a mount of its own",
        subject: pod.name,
        timeoutMs: stepTimeoutMs,
      },
    );
    if (result.status === "ok") this.#pods.set(pod.uid, { pod, state: "mounted" });
    else if (isFinal(result.code)) await this.#forgetPod(pod);
    else this.#pods.set(pod.uid, { pod, state: "uncertain" });
    return withoutResponse(result);
  }

  async #tearDown(pod: Pod): Promise<CallResult<void>> {
    const result = await this.#options.caller.call(
      Node.method.nodeUnpublishVolume,
      { volumeId: pod.volume.handle, targetPath: targetPath(this.#options.root, pod) },
      { why: "the pod has ended: its own mount goes", subject: pod.name, timeoutMs: stepTimeoutMs },
    );
    if (result.status === "ok") await this.#forgetPod(pod);
    return withoutResponse(result);
  }

  async #unmountDevice(volume: PersistentVolume): Promise<CallResult<void>> {
    const capabilities = await this.#ask(Capability.STAGE_UNSTAGE_VOLUME);
    if (capabilities.status === "error") return capabilities;
    if (!capabilities.response.has(Capability.STAGE_UNSTAGE_VOLUME)) {
      this.#devices.delete(volume.handle);
      return { status: "ok", response: undefined };
    }
    const result = await this.#options.caller.call(
      Node.method.nodeUnstageVolume,
      { volumeId: volume.handle, stagingTargetPath: stagingPath(this.#options.root, volume) },
      {
        why: "no pod here uses it now: the node's mount goes",
        subject: "globalmount",
        timeoutMs: stepTimeoutMs,
      },
    );
    if (result.status === "ok") await this.#forgetDevice(volume);
    return withoutResponse(result);
  }

  /** One NodeGetCapabilities for each question, as kubelet asks. @returns what the driver has of them */
  async #ask(...questions: readonly Capability[]): Promise<CallResult<ReadonlySet<Capability>>> {
    const how = { why: "kubelet asks what the driver can do, each time", timeoutMs: stepTimeoutMs };
    const has = new Set<Capability>();
    for (const question of questions) {
      const result = await this.#options.caller.call(Node.method.nodeGetCapabilities, {}, how);
      if (result.status === "error") return result;
      const found = result.response.capabilities.some(
        ({ type }) => type.case === "rpc" && type.value.type === question,
      );
      if (found) has.add(question);
    }
    return { status: "ok", response: has };
  }

  async #forgetDevice(volume: PersistentVolume): Promise<void> {
    await this.#options.files.removeMountPoint(stagingPath(this.#options.root, volume));
    this.#devices.delete(volume.handle);
  }

  async #forgetPod(pod: Pod): Promise<void> {
    await this.#options.files.removeMountPoint(targetPath(this.#options.root, pod));
    this.#pods.delete(pod.uid);
  }

  #isUsed(volume: PersistentVolume): boolean {
    return [...this.#pods.values()].some(({ pod }) => pod.volume.handle === volume.handle);
  }

  #note(text: string): void {
    this.#options.note(this.nodeName, text);
  }

  #repeat<T>(step: string, attempt: () => Promise<CallResult<T>>, signal: AbortSignal): Promise<T> {
    const where = `${this.nodeName}: ${step}`;
    return untilOk(where, attempt, { backoff, clock: this.#options.clock, signal });
  }
}

/** Kubelet sends the PV's first access mode only. */
function capabilityOf(volume: PersistentVolume, driver: ReadonlySet<Capability>) {
  const mode = csiAccessMode(volume.accessModes[0], driver.has(Capability.SINGLE_NODE_MULTI_WRITER));
  return {
    accessType: { case: "mount" as const, value: { mountFlags: [...volume.mountOptions] } },
    accessMode: { mode },
  };
}

function withoutResponse(result: CallResult<unknown>): CallResult<void> {
  return result.status === "ok" ? { status: "ok", response: undefined } : result;
}
