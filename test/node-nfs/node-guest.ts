/** A guest with the real `berth node`, called over real gRPC as kubelet would. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import {
  VolumeCapability_AccessMode_Mode as Mode,
  Node,
  type NodeGetVolumeStatsResponse,
  type VolumeCapabilitySchema,
} from "../../src/gen/csi/v1/csi_pb.ts";
import { type CallResult, CsiConnection, type Method, requestOf } from "../../src/lab/csi-client.ts";
import { Guest } from "../../src/lab/guest/guest.ts";
import type { GuestNetwork } from "../../src/lab/guest/network.ts";
import { MountTable } from "../../src/node/mounts/mount-table.ts";
import { bundledProgram } from "../support/bundled.ts";

const kubelet = "/run/kubelet";
const socket = "/run/csi.sock";
const relayPort = 9999;

/** How a call ended: `OK`, or the name of its status with its message. */
export interface Ended {
  readonly code: string;
  readonly message: string;
}

export interface CallChange {
  readonly mode?: Mode;
  readonly mountFlags?: readonly string[];
  readonly readOnly?: boolean;
  readonly targetPath?: string;
  readonly stagingPath?: string;
}

/** A volume as its PersistentVolume has it. */
export interface NodeVolume {
  readonly volumeId: string;
  readonly volumeContext: Readonly<Record<string, string>>;
}

export class NodeGuest implements AsyncDisposable {
  readonly guest: Guest;
  readonly #connection: CsiConnection;

  private constructor(guest: Guest) {
    this.guest = guest;
    this.#connection = new CsiConnection(`ipv4:${guest.address}:${relayPort}`);
  }

  static async boot(network: GuestNetwork, name: string, config: string): Promise<NodeGuest> {
    const guest = await Guest.boot(network, { name, memoryMib: 512 });
    const node = new NodeGuest(guest);
    try {
      await guest.check(`mkdir -p ${kubelet}/plugins ${kubelet}/pods; cat > /run/berth.yaml`, {
        input: config,
      });
      const relay = `${process.execPath} ${join(import.meta.dirname, "relay.ts")} ${relayPort} ${socket}`;
      await guest.check(`setsid ${relay} </dev/null >/run/relay.log 2>&1 &`);
      await node.startPlugin();
    } catch (reason) {
      await node[Symbol.asyncDispose]();
      throw reason;
    }
    return node;
  }

  /** Resolves when it serves. */
  async startPlugin(): Promise<void> {
    const { node, flags, bundle } = await bundledProgram(); // starts in a third of the time that the sources take
    const command = [
      ...[node, ...flags, bundle, "node", "--node-id", this.guest.name],
      ...["--endpoint", `unix://${socket}`, "--kubelet-dir", kubelet, "--config", "/run/berth.yaml"],
    ].join(" ");
    await this.guest.check(
      `setsid ${command} </dev/null >>/run/berth.log 2>&1 & echo $! > /run/berth.pid
       until [ -S ${socket} ]; do kill -0 "$(cat /run/berth.pid)" || { cat /run/berth.log; exit 1; }; sleep 0.05; done`,
    );
  }

  /** As a node's plugin that is updated, or crashes. */
  async restartPlugin(): Promise<void> {
    await this.guest.check(
      `pid=$(cat /run/berth.pid); kill -KILL $pid; while kill -0 $pid 2>/dev/null; do sleep 0.05; done; rm ${socket}`,
    );
    await this.startPlugin();
  }

  async pluginLog(): Promise<string> {
    return await this.guest.check("cat /run/berth.log");
  }

  stage(volume: NodeVolume, change: CallChange = {}): Promise<Ended> {
    return this.#call(Node.method.nodeStageVolume, {
      ...volume,
      stagingTargetPath: change.stagingPath ?? stagingPathOf(volume),
      volumeCapability: capability(change),
    });
  }

  publish(volume: NodeVolume, pod: string, change: CallChange = {}): Promise<Ended> {
    return this.#call(Node.method.nodePublishVolume, {
      ...volume,
      volumeContext: { ...volume.volumeContext, "csi.storage.k8s.io/pod.name": pod },
      stagingTargetPath: change.stagingPath ?? stagingPathOf(volume),
      targetPath: change.targetPath ?? targetPathOf(pod),
      volumeCapability: capability(change),
      readonly: change.readOnly ?? false,
    });
  }

  unpublish({ volumeId }: NodeVolume, pod: string, targetPath = targetPathOf(pod)): Promise<Ended> {
    return this.#call(Node.method.nodeUnpublishVolume, { volumeId, targetPath });
  }

  unstage(volume: NodeVolume, stagingTargetPath = stagingPathOf(volume)): Promise<Ended> {
    return this.#call(Node.method.nodeUnstageVolume, { volumeId: volume.volumeId, stagingTargetPath });
  }

  stats({ volumeId }: NodeVolume, pod: string): Promise<Ended> {
    return this.#call(Node.method.nodeGetVolumeStats, { volumeId, volumePath: targetPathOf(pod) });
  }

  /** What the plugin says of a volume: its usage and condition. */
  async figures({ volumeId }: NodeVolume, pod: string): Promise<NodeGetVolumeStatsResponse> {
    const parts = { volumeId, volumePath: targetPathOf(pod) };
    const request = requestOf(Node.method.nodeGetVolumeStats, parts);
    const result = await this.#connection.call(Node.method.nodeGetVolumeStats, request, 20_000);
    if (result.status === "ok") return result.response;
    throw new Error(`NodeGetVolumeStats: ${result.code}: ${result.message}`);
  }

  /** What is mounted below kubelet's directory. */
  async mounts() {
    return MountTable.parse(await this.guest.check("cat /proc/self/mountinfo")).below(kubelet);
  }

  /** After a test: whatever it left mounted. */
  async clear(): Promise<void> {
    await this.guest.check(`
      grep -F ' ${kubelet}/' /proc/self/mountinfo | cut -d' ' -f5 | sort -r | while read -r m; do umount -l "$m"; done
      rm -rf --one-file-system ${kubelet}/pods ${kubelet}/plugins; mkdir -p ${kubelet}/pods ${kubelet}/plugins`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.close();
    await this.guest[Symbol.asyncDispose]();
  }

  async #call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    parts: MessageInitShape<I>,
    timeoutMs = 60_000,
  ): Promise<Ended> {
    return ended(await this.#connection.call(method, requestOf(method, parts), timeoutMs));
  }
}

/** As kubelet has it: pkg/volume/csi/csi_attacher.go, `makeDeviceMountPath`. */
export function stagingPathOf({ volumeId }: NodeVolume): string {
  const hash = createHash("sha256").update(volumeId).digest("hex");
  return `${kubelet}/plugins/kubernetes.io/csi/csi.berth.dev/${hash}/globalmount`;
}

export function targetPathOf(pod: string): string {
  return `${kubelet}/pods/${pod}/volumes/kubernetes.io~csi/pv/mount`;
}

function capability({ mode = Mode.MULTI_NODE_MULTI_WRITER, mountFlags = [] }: CallChange) {
  const wanted: MessageInitShape<typeof VolumeCapabilitySchema> = {
    accessMode: { mode },
    accessType: { case: "mount", value: { mountFlags: [...mountFlags] } },
  };
  return wanted;
}

function ended(result: CallResult<unknown>): Ended {
  return result.status === "ok"
    ? { code: "OK", message: "" }
    : { code: result.code, message: result.message };
}
