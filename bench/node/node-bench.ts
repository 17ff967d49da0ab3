import { createHash } from "node:crypto";
import { Node } from "../../src/gen/csi/v1/csi_pb.ts";
import { CsiConnection } from "../../src/lab/csi-client.ts";
import type { Lab } from "../../src/lab/lab.ts";
import type { LabNode } from "../../src/lab/lab-node.ts";
import { quoted } from "../../src/lab/machine/machine.ts";
import type { Mount } from "../../src/lab/machine/mount-table.ts";
import { type CreatedVolume, callOnce, capability, createVolume, deleteVolume } from "../calls.ts";

/** A volume, and a node that mounts it: by the driver as kubelet calls it, or by hand. */
export class NodeBench implements AsyncDisposable {
  /** Of the volume's directory, as mount(8) takes it. */
  readonly source: string;
  readonly #node: LabNode;
  readonly #controller: CsiConnection;
  readonly #volume: CreatedVolume;
  readonly #stagingPath: string;

  private constructor(lab: Lab, controller: CsiConnection, volume: CreatedVolume) {
    this.#node = lab.nodes[0];
    this.#controller = controller;
    this.#volume = volume;
    this.source = `${lab.site.share.where}/${volume.volumeContext["subDir"]}`;
    const hash = createHash("sha256").update(volume.volumeId).digest("hex");
    const plugin = `${this.#node.kubeletDirectory}/plugins/kubernetes.io/csi/csi.berth.dev`;
    this.#stagingPath = `${plugin}/${hash}/globalmount`;
  }

  static async open(lab: Lab): Promise<NodeBench> {
    const controller = new CsiConnection(lab.controller.target);
    const volume = await createVolume(controller, "pvc-bench", { type: "export", export: "nas" });
    return new NodeBench(lab, controller, volume);
  }

  /** What kubelet makes before it calls. */
  async prepare(pods: number): Promise<void> {
    const parents = Array.from({ length: pods }, (_, pod) => this.#targetPath(pod).replace(/\/mount$/, ""));
    const bare = "/run/bare/staged /run/bare/pod";
    await this.#node.check(`mkdir -p ${bare} ${this.#stagingPath} ${parents.join(" ")}`);
  }

  async stage(): Promise<void> {
    await callOnce(this.#target, Node.method.nodeStageVolume, this.#staged);
  }

  async publish(pod: number): Promise<void> {
    await callOnce(this.#target, Node.method.nodePublishVolume, {
      ...this.#staged,
      targetPath: this.#targetPath(pod),
    });
  }

  async unpublish(pod: number): Promise<void> {
    const { volumeId } = this.#volume;
    await callOnce(this.#target, Node.method.nodeUnpublishVolume, {
      volumeId,
      targetPath: this.#targetPath(pod),
    });
  }

  async unstage(): Promise<void> {
    const { volumeId } = this.#volume;
    await callOnce(this.#target, Node.method.nodeUnstageVolume, {
      volumeId,
      stagingTargetPath: this.#stagingPath,
    });
  }

  /** Below kubelet's directory. */
  async mounts(): Promise<Mount[]> {
    return await this.#node.mounts();
  }

  /** Times parts of a bash script, in the guest, where `tick` stands between them. @returns milliseconds of each part */
  async timed(parts: readonly string[]): Promise<number[]> {
    const script = `ticks=$EPOCHREALTIME
tick() { ticks="$ticks $EPOCHREALTIME"; }
${parts.map((part) => `${part}\ntick`).join("\n")}
echo $ticks`;
    const printed = await this.#node.check(`exec bash -ec ${quoted(script)}`);
    const ticks = printed.trim().split(" ").map(Number);
    return ticks.slice(1).map((tick, index) => (tick - (ticks[index] ?? Number.NaN)) * 1000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await deleteVolume(this.#controller, this.#volume.volumeId);
    this.#controller.close();
  }

  get #target(): string {
    return this.#node.driver.target;
  }

  get #staged() {
    const { volumeId, volumeContext } = this.#volume;
    const stagingTargetPath = this.#stagingPath;
    return { volumeId, volumeContext, volumeCapability: capability, stagingTargetPath };
  }

  #targetPath(pod: number): string {
    return `${this.#node.kubeletDirectory}/pods/pod-${pod}/volumes/kubernetes.io~csi/pvc-bench/mount`;
  }
}
