/**
 * A cluster on this machine, to drive the driver with: machines, storage, the driver's real processes, and
 * the parts of Kubernetes that call them. This is what `berth lab` and the tests of whole volumes stand on.
 *
 *     await using lab = await Lab.open({ tier: "guests", nodes: 2, program });
 *     lab.apply(`
 *     apiVersion: v1
 *     kind: PersistentVolumeClaim
 *     …`);
 *     await lab.claim("data").bound();
 *     lab.scale("web", 2);
 *     await lab.settled();
 *     const [pod] = lab.pods;
 *     await pod.check("echo hello > /data/greeting");
 *
 * What is applied comes about in the background, with Kubernetes' own patience; what failed on the way
 * stands in the events of claims and pods. Everything is gone when the lab is disposed of, and at the latest
 * when this process has ended.
 */
import { BerthError } from "../core/errors.ts";
import type { StorageGuest } from "./guest/storage.ts";
import { keyOf, LabClaim } from "./lab-claim.ts";
import type { LabNode } from "./lab-node.ts";
import { LabPod } from "./lab-pod.ts";
import { untilWarning, type Waiting } from "./lab-wait.ts";
import { type LabOptions, type LabParts, openLab } from "./open-lab.ts";
import type { Cluster } from "./orchestrator/cluster.ts";
import type { Events, LabEvent } from "./orchestrator/events.ts";
import type { Kubelet } from "./orchestrator/kubelet/kubelet.ts";
import { parseObjects } from "./orchestrator/manifests/manifests.ts";
import type { LabObject, ObjectKind } from "./orchestrator/objects.ts";
import type { Driver } from "./site/driver.ts";
import type { Site, Tier } from "./site/site.ts";

export class Lab implements AsyncDisposable {
  readonly site: Site;
  readonly nodes: readonly [LabNode, ...LabNode[]];
  readonly controller: Driver;
  readonly cluster: Cluster;
  /** How long the waiting methods wait. */
  patienceMs: number;
  readonly #events: Events;
  readonly #kubelets: readonly Kubelet[];
  readonly #stop: AbortController;
  readonly #everything: AsyncDisposableStack;

  private constructor(parts: LabParts) {
    this.site = parts.site;
    this.nodes = parts.nodes;
    this.controller = parts.controller;
    this.cluster = parts.cluster;
    this.patienceMs = parts.patienceMs;
    this.#events = parts.events;
    this.#kubelets = parts.kubelets;
    this.#stop = parts.stop;
    this.#everything = parts.everything;
  }

  /** Resolves when the driver is ready and every node registered. @throws BerthError with the driver's last words when it is not */
  static async open(options: LabOptions): Promise<Lab> {
    return new Lab(await openLab(options));
  }

  get tier(): Tier {
    return this.site.tier;
  }

  /** The storage guest: exports, quotas, stop, crash, pause. @throws BerthError `failed-precondition` in other tiers than `guests` */
  get storage(): StorageGuest {
    if (this.site.storage !== undefined) return this.site.storage;
    const text = `the tier ${this.tier} has no storage guest: use the tier guests`;
    throw new BerthError("failed-precondition", text);
  }

  /** All that run or begin, oldest first. */
  get pods(): readonly LabPod[] {
    return this.cluster.pods.map((pod) => this.#labPod(pod));
  }

  /** All processes of the driver, the controller first. */
  get drivers(): readonly Driver[] {
    return [this.controller, ...this.nodes.map(({ driver }) => driver)];
  }

  get events(): readonly LabEvent[] {
    return this.#events.of();
  }

  /** `kubectl apply`: manifests as YAML, or what has been read of them. @throws BerthError `invalid-argument` */
  apply(manifests: string | readonly LabObject[]): void {
    const objects = typeof manifests === "string" ? parseObjects("manifests", manifests) : manifests;
    this.cluster.apply(objects);
  }

  /** `kubectl scale deployment`. */
  scale(deployment: string, replicas: number): void {
    this.cluster.scale(keyOf(deployment), replicas);
  }

  /** `kubectl delete`, without waiting. */
  delete(kind: ObjectKind, name: string): void {
    this.cluster.delete(kind, hasNamespace(kind) ? keyOf(name) : name);
  }

  /** A claim, whether it is there or not. */
  claim(name: string): LabClaim {
    return new LabClaim({ ...this.#waiting, key: keyOf(name) });
  }

  /** `kubectl get pods`, of one Deployment. */
  podsOf(deployment: string): readonly LabPod[] {
    return this.pods.filter(({ pod }) => pod.owner === keyOf(deployment));
  }

  /** The first warning on an object whose message matches, waited for. @throws BerthError `deadline-exceeded` with those that there are */
  async warning(object: ObjectName, message: RegExp): Promise<LabEvent> {
    return await untilWarning(this.#waiting, eventObject(object), message);
  }

  /** Waits until an object has gone, and with a claim its volume unless that is retained. */
  async gone({ kind, name }: ObjectName): Promise<void> {
    if (kind === "PersistentVolumeClaim") return await this.claim(name).gone();
    if (kind === "Pod") {
      const pods = this.pods.filter(({ pod }) => `${pod.namespace}/${pod.name}` === keyOf(name));
      for (const pod of pods) await pod.gone();
      return;
    }
    if (kind === "Deployment") {
      for (const pod of this.podsOf(name)) await pod.gone();
      return;
    }
    throw new BerthError("invalid-argument", `nothing takes ${kind}/${name} away in the background`);
  }

  /** A pod by its name, waited for until it has a node. @throws BerthError `deadline-exceeded` */
  async pod(name: string): Promise<LabPod> {
    const key = keyOf(name);
    const found = () => this.cluster.pods.find((each) => `${each.namespace}/${each.name}` === key);
    await this.cluster
      .until(() => found() !== undefined, this.patience())
      .catch((reason: unknown) => {
        const last = this.#events.of(`Pod/${key}`).at(-1)?.message ?? "nothing has been said of it";
        throw new BerthError("deadline-exceeded", `there is no pod ${key}: ${last}`, { cause: reason });
      });
    const pod = found();
    if (pod === undefined) throw new BerthError("not-found", `there is no pod ${key}`);
    return this.#labPod(pod);
  }

  /** @throws BerthError `not-found` */
  node(name: string): LabNode {
    const found = this.nodes.find((node) => node.name === name);
    const names = this.nodes.map((node) => node.name).join(", ");
    if (found === undefined) throw new BerthError("not-found", `no node ${name}: there are ${names}`);
    return found;
  }

  /** Resolves when everything that was asked for has come about. @throws BerthError `deadline-exceeded` that says what has not */
  async settled(signal: AbortSignal = this.patience()): Promise<void> {
    await this.cluster.settled(signal);
  }

  /** All that the controller has logged, one JSON object a line. */
  async controllerLog(): Promise<string> {
    return await this.controller.log();
  }

  async nodeLog(name: string): Promise<string> {
    return await this.node(name).driver.log();
  }

  async restartController(how: "TERM" | "KILL" = "TERM"): Promise<void> {
    await this.controller.restart(how, this.patience());
  }

  /** Ends and starts a node's plugin; kubelet and pods go on. */
  async restartNodeDriver(name: string, how: "TERM" | "KILL" = "TERM"): Promise<void> {
    await this.node(name).driver.restart(how, this.patience());
  }

  /** Kubelet starts anew: what is mounted it asks for again. */
  async restartKubelet(name: string): Promise<void> {
    this.#kubelet(name).restart("running");
    this.cluster.look();
    await this.settled();
  }

  /** The whole machine loses power and comes back; its pods are started again. */
  async reboot(name: string): Promise<void> {
    const node = this.node(name);
    await node.site.reboot();
    await node.driver.restart("KILL", this.patience());
    this.#kubelet(name).restart("gone");
    this.cluster.look();
    await this.settled();
  }

  /** Fires when a step has taken too long. */
  patience(): AbortSignal {
    return AbortSignal.any([this.#stop.signal, AbortSignal.timeout(this.patienceMs)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#everything.disposeAsync();
  }

  get #waiting(): Waiting {
    return { cluster: this.cluster, events: this.#events, patience: () => this.patience() };
  }

  #labPod(pod: LabPod["pod"]): LabPod {
    const { pods } = this.node(pod.nodeName);
    return new LabPod({ ...this.#waiting, pod, pods });
  }

  #kubelet(name: string): Kubelet {
    const found = this.#kubelets.find(({ nodeName }) => nodeName === name);
    if (found === undefined) throw new BerthError("not-found", `the lab has no node ${name}`);
    return found;
  }
}

export type { LabOptions } from "./open-lab.ts";

/** An object by its kind and name; without a namespace it is in `default`. */
export interface ObjectName {
  readonly kind: ObjectKind;
  readonly name: string;
}

function hasNamespace(kind: ObjectKind): boolean {
  return kind === "PersistentVolumeClaim" || kind === "Deployment" || kind === "Pod";
}

function eventObject({ kind, name }: ObjectName): string {
  return `${kind}/${hasNamespace(kind) ? keyOf(name) : name}`;
}
