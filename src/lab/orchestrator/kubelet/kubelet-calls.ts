import { dirname } from "node:path";
import { NodeServiceCapability_RPC_Type as Capability, Node } from "../../../gen/csi/v1/csi_pb.ts";
import type { Caller } from "../../calls.ts";
import type { CallResult } from "../../csi-client.ts";
import { csiAccessMode } from "../access-modes.ts";
import type { PersistentVolume, Pod, PodVolume } from "../objects.ts";
import { stagingPath, targetPath } from "./kubelet-paths.ts";
import type { NodeFiles } from "./node-files.ts";

/** Of each RPC; kubelet gives as much to a whole step. */
export const stepTimeoutMs = 120_000;

export interface KubeletCallsOptions {
  /** `/var/lib/kubelet` of this node. */
  readonly root: string;
  readonly caller: Caller;
  readonly files: NodeFiles;
  /** Whether the driver's CSIDriver object wants to be told of the pod. */
  readonly podInfo: () => boolean;
}

/** What came of a stage: the driver may not want any. */
export type Staged = CallResult<"staged" | "not-needed">;

/**
 * The operations of kubelet's CSI plugin, each with the questions that it asks first
 * (pkg/volume/csi/csi_attacher.go, csi_mounter.go). They keep no state.
 */
export class KubeletCalls {
  readonly #options: KubeletCallsOptions;

  constructor(options: KubeletCallsOptions) {
    this.#options = options;
  }

  /** MountDevice. */
  async stage(volume: PersistentVolume): Promise<Staged> {
    const capabilities = await this.#askBeforeMount();
    if (capabilities.status === "error") return capabilities;
    if (!capabilities.response.has(Capability.STAGE_UNSTAGE_VOLUME)) {
      return { status: "ok", response: "not-needed" };
    }
    const path = stagingPath(this.#options.root, volume);
    await this.#options.files.prepare(path, path, {
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
    return result.status === "ok" ? { status: "ok", response: "staged" } : result;
  }

  /** SetUp. */
  async publish(pod: Pod, podVolume: PodVolume): Promise<CallResult<unknown>> {
    const { volume, lifecycle } = podVolume;
    const capabilities = await this.#askBeforeMount();
    if (capabilities.status === "error") return capabilities;
    const stages = lifecycle === "Persistent" && capabilities.response.has(Capability.STAGE_UNSTAGE_VOLUME);
    const path = targetPath(this.#options.root, pod, podVolume);
    await this.#options.files.prepare(dirname(path), path, {
      driverName: volume.driver,
      nodeName: pod.nodeName,
      specVolID: volume.name,
      volumeHandle: volume.handle,
      volumeLifecycleMode: lifecycle,
    });
    return await this.#options.caller.call(
      Node.method.nodePublishVolume,
      {
        volumeId: volume.handle,
        stagingTargetPath: stages ? stagingPath(this.#options.root, volume) : "",
        targetPath: path,
        volumeCapability: capabilityOf(volume, capabilities.response),
        readonly: podVolume.readOnly || volume.readOnly,
        volumeContext: { ...volume.attributes, ...this.#podInfo(pod, lifecycle) },
      },
      { why: "every pod gets a mount of its own", subject: pod.name, timeoutMs: stepTimeoutMs },
    );
  }

  /** TearDown. */
  async unpublish(pod: Pod, podVolume: PodVolume): Promise<CallResult<unknown>> {
    return await this.#options.caller.call(
      Node.method.nodeUnpublishVolume,
      { volumeId: podVolume.volume.handle, targetPath: targetPath(this.#options.root, pod, podVolume) },
      { why: "the pod has ended: its own mount goes", subject: pod.name, timeoutMs: stepTimeoutMs },
    );
  }

  /** UnmountDevice. */
  async unstage(volume: PersistentVolume): Promise<CallResult<unknown>> {
    const capabilities = await this.#ask(Capability.STAGE_UNSTAGE_VOLUME);
    if (capabilities.status === "error") return capabilities;
    if (!capabilities.response.has(Capability.STAGE_UNSTAGE_VOLUME)) return capabilities;
    return await this.#options.caller.call(
      Node.method.nodeUnstageVolume,
      { volumeId: volume.handle, stagingTargetPath: stagingPath(this.#options.root, volume) },
      {
        why: "no pod here uses it now: the node's mount goes",
        subject: "globalmount",
        timeoutMs: stepTimeoutMs,
      },
    );
  }

  async removeStagingPath(volume: PersistentVolume): Promise<void> {
    await this.#options.files.removeMountPoint(stagingPath(this.#options.root, volume));
  }

  async removeTargetPath(pod: Pod, podVolume: PodVolume): Promise<void> {
    await this.#options.files.removeMountPoint(targetPath(this.#options.root, pod, podVolume));
  }

  #podInfo(pod: Pod, lifecycle: PodVolume["lifecycle"]): Record<string, string> {
    if (!this.#options.podInfo()) return {};
    return {
      "csi.storage.k8s.io/pod.name": pod.name,
      "csi.storage.k8s.io/pod.namespace": pod.namespace,
      "csi.storage.k8s.io/pod.uid": pod.uid,
      "csi.storage.k8s.io/serviceAccount.name": "default",
      "csi.storage.k8s.io/ephemeral": String(lifecycle === "Ephemeral"),
    };
  }

  #askBeforeMount(): Promise<CallResult<ReadonlySet<Capability>>> {
    return this.#ask(
      Capability.STAGE_UNSTAGE_VOLUME,
      Capability.VOLUME_MOUNT_GROUP,
      Capability.SINGLE_NODE_MULTI_WRITER,
    );
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
}

/** Kubelet sends the PV's first access mode only. */
function capabilityOf(volume: PersistentVolume, driver: ReadonlySet<Capability>) {
  const mode = csiAccessMode(volume.accessModes[0], driver.has(Capability.SINGLE_NODE_MULTI_WRITER));
  return {
    accessType: { case: "mount" as const, value: { mountFlags: [...volume.mountOptions] } },
    accessMode: { mode },
  };
}
