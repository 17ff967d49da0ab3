import { assert } from "../../core/assert.ts";
import { BerthError } from "../../core/errors.ts";
import type { Kubelet, Note } from "./kubelet.ts";
import type { Manifests } from "./manifests.ts";
import type { PersistentVolume, Pod } from "./objects.ts";
import type { Provisioner } from "./provisioner.ts";
import { placePod, podToRemove } from "./scheduler.ts";

export interface ClusterOptions {
  readonly manifests: Manifests;
  readonly provisioner: Provisioner;
  readonly kubelets: readonly [Kubelet, ...Kubelet[]];
  readonly note: Note;
  readonly newUid: () => string;
}

/** A claim's life, as `kubectl get pvc` shows it. */
type ClaimState =
  | { readonly status: "absent" }
  | { readonly status: "bound" | "terminating"; readonly volume: PersistentVolume };

/**
 * The parts of Kubernetes that decide: kube-controller-manager and the scheduler, for one claim and one
 * Deployment. Every method resolves when the cluster has settled, and throws a BerthError when the
 * driver does not do its part before `signal` fires.
 */
export class Cluster {
  readonly #options: ClusterOptions;
  #claim: ClaimState = { status: "absent" };
  /** Oldest first. */
  #pods: readonly Pod[] = [];
  #podsMade = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  get pods(): readonly Pod[] {
    return this.#pods;
  }

  /** `kubectl apply` of class and claim. */
  async createClaim(signal: AbortSignal): Promise<PersistentVolume> {
    const { claim, storageClass } = this.#options.manifests;
    assert(this.#claim.status === "absent", "the claim is created once");
    const name = `pvc-${this.#options.newUid()}`;
    const volume = await this.#options.provisioner.provision(name, claim, storageClass, signal);
    this.#claim = { status: "bound", volume };
    return volume;
  }

  /** `kubectl scale`. */
  async scale(replicas: number, signal: AbortSignal): Promise<void> {
    this.#pods = this.#podsFor(replicas);
    const settled = this.#options.kubelets.map((kubelet) =>
      kubelet.reconcile(
        this.#pods.filter(({ nodeName }) => nodeName === kubelet.nodeName),
        signal,
      ),
    );
    await Promise.all(settled);
    await this.#releaseClaim(signal);
  }

  /** `kubectl delete pvc`: at once when no pod uses it, or else as soon as the last has gone. */
  async deleteClaim(signal: AbortSignal): Promise<void> {
    assert(this.#claim.status === "bound", "a claim is deleted that is there");
    this.#claim = { status: "terminating", volume: this.#claim.volume };
    if (this.#pods.length > 0) {
      this.#options.note("controller", "in use: pvc-protection keeps it, no DeleteVolume");
    }
    await this.#releaseClaim(signal);
  }

  #podsFor(replicas: number): readonly Pod[] {
    let pods = this.#pods;
    while (pods.length < replicas) pods = [...pods, this.#newPod(pods)];
    while (pods.length > replicas) {
      const removed = podToRemove(pods);
      pods = pods.filter((pod) => pod !== removed);
    }
    return pods;
  }

  #newPod(pods: readonly Pod[]): Pod {
    const { deployment } = this.#options.manifests;
    if (this.#claim.status !== "bound") {
      const cause = this.#claim.status === "absent" ? "is not there" : "is being deleted";
      throw new BerthError(
        "failed-precondition",
        `no pod can be scheduled: claim ${deployment.claimName} ${cause}`,
      );
    }
    const [first, ...more] = this.#options.kubelets;
    this.#podsMade += 1;
    return {
      uid: this.#options.newUid(),
      name: `${deployment.name}-${this.#podsMade}`,
      nodeName: placePod([first.nodeName, ...more.map(({ nodeName }) => nodeName)], pods),
      volume: this.#claim.volume,
      readOnly: deployment.readOnly,
    };
  }

  /**
   * Lets go of a claim that is being deleted. Kubernetes looks at pods alone; that their nodes have
   * unstaged by then is a matter of its slower loops, and of waiting for the kubelets here.
   */
  async #releaseClaim(signal: AbortSignal): Promise<void> {
    if (this.#claim.status !== "terminating" || this.#pods.length > 0) return;
    const { volume } = this.#claim;
    this.#claim = { status: "absent" };
    if (this.#options.manifests.storageClass.reclaimPolicy === "Retain") {
      this.#options.note("controller", "the class says Retain: the volume stays, no DeleteVolume");
      return;
    }
    await this.#options.provisioner.delete(volume, signal);
  }
}
