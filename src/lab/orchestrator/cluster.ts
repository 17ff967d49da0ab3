import { BerthError } from "../../core/errors.ts";
import { Claims, claimKey } from "./claims.ts";
import type { Changes, Events, Note } from "./events.ts";
import type { Kubelet } from "./kubelet/kubelet.ts";
import type { CsiDriver, LabObject, ObjectKind, Pod, StorageClass } from "./objects.ts";
import type { Provisioner } from "./provisioner.ts";
import { Tasks } from "./tasks.ts";
import { Workloads } from "./workloads.ts";

export interface ClusterOptions {
  readonly provisioner: Provisioner;
  readonly kubelets: readonly [Kubelet, ...Kubelet[]];
  readonly events: Events;
  readonly changes: Changes;
  readonly note: Note;
  readonly newUid: () => string;
  /** Ends what the cluster does in the background. */
  readonly signal: AbortSignal;
}

export type PodPhase = "Pending" | "Running" | "Terminating";

/**
 * The parts of Kubernetes that decide: the API's objects, kube-controller-manager and the scheduler.
 * What is applied is brought about in the background, with Kubernetes' own patience; `until` and
 * `settled` wait for it.
 */
export class Cluster {
  readonly claims: Claims;
  readonly #options: ClusterOptions;
  readonly #workloads: Workloads;
  readonly #tasks: Tasks;
  readonly #drivers = new Map<string, CsiDriver>();
  readonly #classes = new Map<string, StorageClass>();
  #willLook = false;

  constructor(options: ClusterOptions) {
    const { provisioner, kubelets, events, changes, note, newUid, signal } = options;
    this.#options = options;
    this.#tasks = new Tasks(signal, changes);
    this.claims = new Claims({
      ...{ provisioner, events, changes, note, newUid, tasks: this.#tasks },
      classNamed: (name) => this.#classes.get(name),
      isUsed: (key) => this.#workloads.usesClaim(key),
      isMounted: (handle) => kubelets.some((kubelet) => kubelet.holds(handle)),
    });
    const [first, ...more] = kubelets;
    this.#workloads = new Workloads({
      ...{ claims: this.claims, events, newUid },
      nodeNames: [first.nodeName, ...more.map(({ nodeName }) => nodeName)],
      driverNamed: (name) => this.#drivers.get(name),
    });
    changes.listen(() => this.look());
  }

  /** All pods that have a node, oldest first; those that are being taken down last. */
  get pods(): readonly Pod[] {
    return [...this.#workloads.placed, ...this.#workloads.leaving];
  }

  driverNamed(name: string): CsiDriver | undefined {
    return this.#drivers.get(name);
  }

  phaseOf(pod: Pod): PodPhase | undefined {
    if (!this.pods.some(({ uid }) => uid === pod.uid)) return undefined;
    if (this.#workloads.leaving.some(({ uid }) => uid === pod.uid)) return "Terminating";
    return this.#kubeletOf(pod).phaseOf(pod) === "running" ? "Running" : "Pending";
  }

  /** `kubectl apply`. @throws BerthError `invalid-argument` for what the lab cannot have */
  apply(objects: readonly LabObject[]): void {
    for (const object of objects) this.#applyOne(object);
    this.#options.changes.notify();
  }

  /** `kubectl scale deployment`. */
  scale(key: string, replicas: number): void {
    this.#workloads.scale(key, replicas);
    this.#options.changes.notify();
  }

  /** `kubectl delete`, without waiting. @param key `namespace/name`, or the name of what has no namespace */
  delete(kind: ObjectKind, key: string): void {
    switch (kind) {
      case "PersistentVolumeClaim":
        this.claims.delete(key);
        break;
      case "PersistentVolume":
        this.claims.removeVolume(key);
        break;
      case "Deployment":
        this.#workloads.deleteDeployment(key);
        break;
      case "Pod":
        this.#workloads.deletePod(key);
        break;
      case "StorageClass":
        this.#classes.delete(key);
        break;
      case "CSIDriver":
        this.#drivers.delete(key);
        break;
    }
    this.#options.changes.notify();
  }

  /** Resolves once `isSo` holds. @throws what went wrong in the background, or the signal's reason */
  async until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    await this.#tasks.until(isSo, signal);
  }

  /** Resolves when everything that was asked for has come about. @throws BerthError `deadline-exceeded` that says what has not */
  async settled(signal: AbortSignal): Promise<void> {
    try {
      await this.until(() => this.#isSettled(), signal);
    } catch (reason) {
      if (reason !== signal.reason || reason instanceof BerthError) throw reason;
      throw new BerthError("deadline-exceeded", this.#unsettled(), { cause: reason });
    }
  }

  #applyOne(object: LabObject): void {
    switch (object.kind) {
      case "CSIDriver":
        this.#drivers.set(object.name, object);
        return;
      case "StorageClass":
        this.#classes.set(object.name, object);
        return;
      case "PersistentVolume":
        this.claims.addVolume(object);
        return;
      case "PersistentVolumeClaim":
        this.claims.apply(object);
        return;
      case "Deployment":
        this.#workloads.applyDeployment(object);
        return;
      case "Pod":
        this.#workloads.applyPod(object);
        return;
    }
  }

  /** Looks again after every change, as controllers do: once for all changes of one turn. */
  look(): void {
    if (this.#willLook) return;
    this.#willLook = true;
    queueMicrotask(() => {
      this.#willLook = false;
      if (!this.#options.signal.aborted) this.#reconcile();
      this.#options.changes.wake();
    });
  }

  #reconcile(): void {
    const { kubelets } = this.#options;
    const left = this.#workloads.leaving.filter((pod) => this.#kubeletOf(pod).phaseOf(pod) === undefined);
    for (const pod of left) this.#workloads.hasLeft(pod);
    this.#workloads.place();
    for (const kubelet of kubelets) {
      const pods = this.#workloads.placed.filter(({ nodeName }) => nodeName === kubelet.nodeName);
      if (kubelet.isAt(pods)) continue;
      const name = `the kubelet of ${kubelet.nodeName}`;
      this.#tasks.run(name, () => kubelet.reconcile(pods, this.#tasks.signal));
    }
    this.claims.releaseUnused();
  }

  #isSettled(): boolean {
    const { placed, leaving, areAllPlaced } = this.#workloads;
    return (
      !this.#willLook &&
      this.#tasks.areDone &&
      areAllPlaced &&
      leaving.length === 0 &&
      placed.every((pod) => this.phaseOf(pod) === "Running")
    );
  }

  #unsettled(): string {
    const claims = this.claims.all
      .filter(({ phase }) => phase === "Pending")
      .map(({ claim }) => `PersistentVolumeClaim/${claimKey(claim)}`);
    const pods = this.pods
      .filter((pod) => this.phaseOf(pod) !== "Running")
      .map((pod) => `Pod/${claimKey(pod)}`);
    const waiting = [...claims, ...pods];
    const steps = this.#options.kubelets.flatMap((kubelet) => kubelet.steps);
    const work = [...this.#tasks.names, ...steps].join("; ");
    const last = this.#options.events.of().findLast(({ type }) => type === "Warning");
    const event = last === undefined ? "" : `; the last warning, on ${last.object}: ${last.message}`;
    const where = waiting.length === 0 ? "" : `${waiting.join(", ")} not there or not gone; `;
    return `the cluster has not settled in time: ${where}under way: ${work || "nothing"}${event}`;
  }

  #kubeletOf(pod: Pod): Kubelet {
    const found = this.#options.kubelets.find(({ nodeName }) => nodeName === pod.nodeName);
    if (found === undefined) throw new BerthError("not-found", `the lab has no node ${pod.nodeName}`);
    return found;
  }
}
