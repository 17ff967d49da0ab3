import { BerthError } from "../../core/errors.ts";
import { type Claims, claimKey } from "./claims.ts";
import type { Events } from "./events.ts";
import { inlineHandle } from "./kubelet/kubelet-paths.ts";
import type {
  BarePod,
  CsiDriver,
  Deployment,
  PersistentVolume,
  Pod,
  PodTemplate,
  PodVolume,
} from "./objects.ts";
import { placePod, podToRemove } from "./scheduler.ts";

export interface WorkloadsOptions {
  readonly nodeNames: readonly [string, ...string[]];
  readonly claims: Claims;
  readonly events: Events;
  readonly newUid: () => string;
  readonly driverNamed: (name: string) => CsiDriver | undefined;
}

/** A pod that is wanted, whether it has a node yet or not. */
interface Wanted {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** The Deployment that it is of; `""` for none. */
  readonly owner: string;
  /** The node that it must run on; `""` for any. */
  readonly nodeName: string;
  readonly template: PodTemplate;
}

/** Deployments and pods: what should run where. */
export class Workloads {
  readonly #options: WorkloadsOptions;
  readonly #deployments = new Map<string, Deployment>();
  /** Oldest first. */
  #wanted: readonly Wanted[] = [];
  readonly #placed = new Map<string, Pod>();
  /** Pods that are no longer wanted; their kubelets take them down. */
  #leaving: readonly Pod[] = [];
  /** Why a pod has no node, as its last event says. */
  readonly #unplaced = new Map<string, string>();
  #podsMade = 0;

  constructor(options: WorkloadsOptions) {
    this.#options = options;
  }

  /** Those with a node, oldest first. */
  get placed(): readonly Pod[] {
    return this.#wanted.flatMap(({ uid }) => this.#placed.get(uid) ?? []);
  }

  get leaving(): readonly Pod[] {
    return this.#leaving;
  }

  get areAllPlaced(): boolean {
    return this.#wanted.every(({ uid }) => this.#placed.has(uid));
  }

  /** A Deployment that is new, or has been edited: pods that run keep what they began with. */
  applyDeployment(deployment: Deployment): void {
    this.#deployments.set(claimKey(deployment), deployment);
    this.#followReplicas(deployment);
  }

  applyPod({ namespace, name, nodeName, template }: BarePod): void {
    const { nodeNames, newUid } = this.#options;
    if (nodeName !== "" && !nodeNames.includes(nodeName)) {
      const text = `Pod/${name}: the lab has no node ${nodeName}: use one of ${nodeNames.join(", ")}`;
      throw new BerthError("invalid-argument", text);
    }
    if (this.#wanted.some((each) => each.namespace === namespace && each.name === name)) return;
    this.#wanted = [...this.#wanted, { uid: newUid(), namespace, name, owner: "", nodeName, template }];
  }

  scale(key: string, replicas: number): void {
    const known = this.#deployments.get(key);
    if (known === undefined) throw new BerthError("not-found", `there is no Deployment ${key}`);
    this.applyDeployment({ ...known, replicas });
  }

  deleteDeployment(key: string): void {
    this.scale(key, 0);
    this.#deployments.delete(key);
  }

  /** A pod of a Deployment is replaced by another one. */
  deletePod(key: string): void {
    const pod = this.#wanted.find((each) => claimKey(each) === key);
    if (pod === undefined) throw new BerthError("not-found", `there is no pod ${key}`);
    this.#remove(pod);
    const deployment = this.#deployments.get(pod.owner);
    if (deployment !== undefined) this.#followReplicas(deployment);
  }

  /** Gives every pod a node whose claims have volumes. */
  place(): void {
    for (const wanted of this.#wanted.filter(({ uid }) => !this.#placed.has(uid))) {
      const found = this.#volumesOf(wanted);
      if ("missing" in found) this.#cannotPlace(wanted, found.missing);
      else this.#placed.set(wanted.uid, this.#onNode(wanted, found.volumes));
    }
  }

  /** The kubelet has taken it down. */
  hasLeft(pod: Pod): void {
    this.#leaving = this.#leaving.filter(({ uid }) => uid !== pod.uid);
    this.#placed.delete(pod.uid);
  }

  usesClaim(key: string): boolean {
    const uses = ({ namespace, template }: Wanted) =>
      template.volumes.some(
        (source) => source.kind === "claim" && claimKey({ namespace, name: source.claimName }) === key,
      );
    const volume = this.#options.claims.get(key)?.volume?.name;
    const isLeaving = this.#leaving.some(({ volumes }) =>
      volumes.some((each) => each.volume.name === volume),
    );
    return isLeaving || this.#wanted.some((each) => this.#placed.has(each.uid) && uses(each));
  }

  #followReplicas(deployment: Deployment): void {
    const key = claimKey(deployment);
    const own = () => this.#wanted.filter(({ owner }) => owner === key);
    while (own().length < deployment.replicas) {
      this.#podsMade += 1;
      const { namespace, template } = deployment;
      const name = `${deployment.name}-${this.#podsMade}`;
      const uid = this.#options.newUid();
      this.#wanted = [...this.#wanted, { uid, namespace, name, owner: key, nodeName: "", template }];
    }
    while (own().length > deployment.replicas) {
      const unplaced = own().findLast(({ uid }) => !this.#placed.has(uid));
      const pods = own().flatMap(({ uid }) => this.#placed.get(uid) ?? []);
      const removed = unplaced ?? own().find(({ uid }) => uid === podToRemove(pods)?.uid);
      if (removed === undefined) return;
      this.#remove(removed);
    }
  }

  #remove(removed: Wanted): void {
    this.#wanted = this.#wanted.filter((each) => each !== removed);
    const pod = this.#placed.get(removed.uid);
    if (pod !== undefined) this.#leaving = [...this.#leaving, pod];
  }

  #onNode({ uid, namespace, name, owner, nodeName, template }: Wanted, volumes: readonly PodVolume[]): Pod {
    const siblings = this.#wanted
      .filter((each) => each.owner === owner)
      .flatMap((each) => this.#placed.get(each.uid) ?? []);
    return {
      ...{ uid, namespace, name, owner },
      nodeName: nodeName || placePod(this.#options.nodeNames, siblings),
      volumes: volumes.map((each) => (each.lifecycle === "Ephemeral" ? withHandle(uid, each) : each)),
      mounts: template.mounts,
      uidNumber: template.uid,
      gidNumber: template.gid,
    };
  }

  #volumesOf({
    namespace,
    template,
  }: Wanted): { readonly volumes: PodVolume[] } | { readonly missing: string } {
    const volumes: PodVolume[] = [];
    for (const source of template.volumes) {
      const { name, readOnly } = source;
      if (source.kind === "inline") {
        const driver = this.#options.driverNamed(source.driver);
        if (driver?.lifecycleModes.includes("Ephemeral") !== true) {
          return { missing: `CSIDriver ${source.driver} does not allow inline volumes` };
        }
        volumes.push({ name, readOnly, lifecycle: "Ephemeral", volume: inlineVolume(source) });
        continue;
      }
      const claim = this.#options.claims.get(claimKey({ namespace, name: source.claimName }));
      if (claim === undefined) return { missing: `persistentvolumeclaim "${source.claimName}" not found` };
      if (claim.isDeleted) return { missing: `persistentvolumeclaim "${source.claimName}" is being deleted` };
      if (claim.volume === undefined) return { missing: "pod has unbound immediate PersistentVolumeClaims" };
      volumes.push({ name, readOnly, lifecycle: "Persistent", volume: claim.volume });
    }
    return { volumes };
  }

  /** Said once, and again when the reason is another. */
  #cannotPlace(wanted: Wanted, why: string): void {
    if (this.#unplaced.get(wanted.uid) === why) return;
    this.#unplaced.set(wanted.uid, why);
    this.#options.events.add("Warning", `Pod/${claimKey(wanted)}`, "FailedScheduling", why);
  }
}

function inlineVolume(source: {
  readonly name: string;
  readonly driver: string;
  readonly attributes: Readonly<Record<string, string>>;
}): PersistentVolume {
  return {
    kind: "PersistentVolume",
    name: source.name,
    handle: "",
    driver: source.driver,
    capacityBytes: 0n,
    accessModes: ["ReadWriteOnce"],
    mountOptions: [],
    attributes: source.attributes,
    reclaimPolicy: "Delete",
    storageClassName: "",
    readOnly: false,
    provisionedBy: "",
  };
}

function withHandle(podUid: string, podVolume: PodVolume): PodVolume {
  const handle = inlineHandle(podUid, podVolume.name);
  return { ...podVolume, volume: { ...podVolume.volume, handle } };
}
