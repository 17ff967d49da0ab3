import { BerthError } from "../../core/errors.ts";
import { bytesText } from "../../core/size-text.ts";
import type { Changes, Events, Note } from "./events.ts";
import type { Claim, PersistentVolume, StorageClass } from "./objects.ts";
import type { Provisioner } from "./provisioner.ts";
import { type Failure, printFailure } from "./retry.ts";
import type { Tasks } from "./tasks.ts";

export interface ClaimsOptions {
  readonly provisioner: Provisioner;
  readonly events: Events;
  readonly changes: Changes;
  readonly tasks: Tasks;
  readonly note: Note;
  readonly newUid: () => string;
  readonly classNamed: (name: string) => StorageClass | undefined;
  /** Whether a pod uses the claim, or has not quite ended. */
  readonly isUsed: (claimKey: string) => boolean;
  /** Whether a node still has the volume. */
  readonly isMounted: (handle: string) => boolean;
}

/** A claim as `kubectl get pvc` shows it. */
export interface ClaimStatus {
  readonly claim: Claim;
  readonly phase: "Pending" | "Bound";
  readonly volume: PersistentVolume | undefined;
  /** Deleted by somebody; here still because a pod uses it, or work for it goes on. */
  readonly isDeleted: boolean;
}

export function claimKey({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

const eventObject = (key: string) => `PersistentVolumeClaim/${key}`;

/** Claims and volumes: kube-controller-manager's binding and protection, in front of the provisioner. */
export class Claims {
  readonly #options: ClaimsOptions;
  readonly #claims = new Map<string, ClaimStatus>();
  readonly #volumes = new Map<string, PersistentVolume>();
  /** Claims whose last steps are under way. */
  readonly #releasing = new Set<string>();
  /** Of claims that have gone, those whose volumes have not. */
  readonly #outlived = new Set<string>();

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  get(key: string): ClaimStatus | undefined {
    return this.#claims.get(key);
  }

  /** Whether a claim has gone, and its volume too unless that is retained. */
  hasGone(key: string): boolean {
    return !this.#claims.has(key) && !this.#outlived.has(key);
  }

  get all(): readonly ClaimStatus[] {
    return [...this.#claims.values()];
  }

  get volumes(): readonly PersistentVolume[] {
    return [...this.#volumes.values()];
  }

  /** A volume written by hand. */
  addVolume(volume: PersistentVolume): void {
    if (!this.#volumes.has(volume.name)) this.#volumes.set(volume.name, volume);
    this.#options.changes.notify();
  }

  /** Forgets a volume that no claim has: as with any PV made by hand, nothing is asked of the driver. */
  removeVolume(name: string): void {
    const holder = this.all.find(({ volume }) => volume?.name === name);
    if (holder !== undefined) {
      const key = claimKey(holder.claim);
      throw new BerthError("failed-precondition", `PersistentVolume/${name} is bound to claim ${key}`);
    }
    this.#volumes.delete(name);
  }

  /** A new claim, or one that has been edited to ask for more. */
  apply(claim: Claim): void {
    const key = claimKey(claim);
    const known = this.#claims.get(key);
    if (known === undefined) {
      this.#set({ claim, phase: "Pending", volume: undefined, isDeleted: false });
      this.#options.tasks.run(`binding claim ${key}`, () => this.#bind(key));
    } else if (claim.requestBytes > known.claim.requestBytes && known.volume !== undefined) {
      const { volume } = known;
      this.#set({ ...known, claim: { ...known.claim, requestBytes: claim.requestBytes } });
      this.#options.tasks.run(`expanding claim ${key}`, () => this.#expand(key, volume, claim.requestBytes));
    }
  }

  /** `kubectl delete pvc`: it goes as soon as no pod uses it. */
  delete(key: string): void {
    const known = this.#claims.get(key);
    if (known === undefined) throw new BerthError("not-found", `there is no claim ${key}`);
    this.#set({ ...known, isDeleted: true });
    if (this.#options.isUsed(key)) {
      this.#options.note("controller", "in use: pvc-protection keeps it, no DeleteVolume");
    }
    this.releaseUnused();
  }

  /** Lets go of every deleted claim that no pod uses any more. */
  releaseUnused(): void {
    for (const [key, { isDeleted, phase }] of this.#claims) {
      if (!isDeleted || phase === "Pending" || this.#options.isUsed(key) || this.#releasing.has(key))
        continue;
      this.#releasing.add(key);
      this.#options.tasks.run(`releasing claim ${key}`, () => this.#release(key));
    }
  }

  async #bind(key: string): Promise<void> {
    const found = await this.#volumeFor(key);
    const known = this.#claims.get(key);
    if (known === undefined) return;
    if (found === undefined) {
      this.#claims.delete(key); // deleted before there was anything
      return;
    }
    this.#volumes.set(found.name, found);
    this.#set({ ...known, phase: "Bound", volume: found });
    this.releaseUnused();
  }

  async #volumeFor(key: string): Promise<PersistentVolume | undefined> {
    const { changes, tasks, provisioner, newUid, classNamed } = this.#options;
    const claim = this.#claims.get(key)?.claim;
    if (claim === undefined) return undefined;
    const isGone = () => this.#claims.get(key)?.isDeleted !== false;
    if (claim.storageClassName === "" || claim.volumeName !== "") {
      await changes.until(() => isGone() || this.#handmade(claim) !== undefined, tasks.signal);
      return isGone() ? undefined : this.#handmade(claim);
    }
    const classFound = () => classNamed(claim.storageClassName);
    if (classFound() === undefined) {
      const text = `storageclass.storage.k8s.io "${claim.storageClassName}" not found`;
      this.#options.events.add("Warning", eventObject(key), "ProvisioningFailed", text);
    }
    await changes.until(() => isGone() || classFound() !== undefined, tasks.signal);
    const storageClass = classFound();
    if (isGone() || storageClass === undefined) return undefined;
    return await provisioner.provision(`pvc-${newUid()}`, claim, storageClass, {
      signal: tasks.signal,
      onFailure: this.#reporter(eventObject(key), "ProvisioningFailed"),
      isWanted: () => !isGone(),
    });
  }

  /** The volume made by hand that fits the claim: the one it names, or the smallest of those that would do. */
  #handmade(claim: Claim): PersistentVolume | undefined {
    const taken = new Set(this.all.map(({ volume }) => volume?.name));
    return this.volumes
      .filter(({ name }) => !taken.has(name) && (claim.volumeName === "" || claim.volumeName === name))
      .filter(({ storageClassName }) => storageClassName === claim.storageClassName)
      .filter(({ capacityBytes }) => capacityBytes >= claim.requestBytes)
      .filter(({ accessModes }) => claim.accessModes.every((mode) => accessModes.includes(mode)))
      .sort((one, other) => Number(one.capacityBytes - other.capacityBytes))
      .at(0);
  }

  async #expand(key: string, volume: PersistentVolume, bytes: bigint): Promise<void> {
    const { classNamed, events, provisioner, tasks } = this.#options;
    if (classNamed(volume.storageClassName)?.allowExpansion !== true) {
      const text = "the StorageClass has no allowVolumeExpansion: true";
      events.add("Warning", eventObject(key), "VolumeResizeFailed", text);
      return;
    }
    const onFailure = this.#reporter(eventObject(key), "VolumeResizeFailed");
    const capacityBytes = await provisioner.expand(volume, bytes, { signal: tasks.signal, onFailure });
    const grown = { ...volume, capacityBytes };
    this.#volumes.set(volume.name, grown);
    const known = this.#claims.get(key);
    if (known !== undefined) this.#set({ ...known, volume: grown });
    events.add("Normal", eventObject(key), "VolumeResizeSuccessful", bytesText(capacityBytes));
  }

  /**
   * Kubernetes looks at pods alone; that their nodes have unstaged by then is a matter of its slower
   * loops, and of waiting for the kubelets here.
   */
  async #release(key: string): Promise<void> {
    const { volume } = this.#claims.get(key) ?? {};
    this.#outlived.add(key);
    this.#claims.delete(key);
    this.#releasing.delete(key);
    this.#options.changes.notify();
    try {
      if (volume !== undefined) await this.#reclaim(volume);
    } finally {
      this.#outlived.delete(key);
    }
  }

  async #reclaim(volume: PersistentVolume): Promise<void> {
    const { changes, events, isMounted, note, provisioner, tasks } = this.#options;
    if (volume.reclaimPolicy === "Retain") {
      note("controller", "the class says Retain: the volume stays, no DeleteVolume");
      return;
    }
    const object = `PersistentVolume/${volume.name}`;
    if (volume.provisionedBy !== volume.driver) {
      events.add("Warning", object, "VolumeFailedDelete", "no deleter: it was made by hand");
      return;
    }
    await changes.until(() => !isMounted(volume.handle), tasks.signal);
    await provisioner.delete(volume, {
      signal: tasks.signal,
      onFailure: this.#reporter(object, "VolumeFailedDelete"),
    });
    this.#volumes.delete(volume.name);
  }

  #reporter(object: string, reason: string): (failure: Failure) => void {
    return (failure) => this.#options.events.add("Warning", object, reason, printFailure(failure));
  }

  #set(status: ClaimStatus): void {
    this.#claims.set(claimKey(status.claim), status);
    this.#options.changes.notify();
  }
}
