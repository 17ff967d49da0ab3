import { BerthError } from "../core/errors.ts";
import { untilSoOf, untilWarning, type Waiting } from "./lab-wait.ts";
import { type ClaimStatus, claimKey } from "./orchestrator/claims.ts";
import type { LabEvent } from "./orchestrator/events.ts";
import type { PersistentVolume } from "./orchestrator/objects.ts";

export interface LabClaimParts extends Waiting {
  /** `namespace/name`. */
  readonly key: string;
}

/** A claim of the lab. */
export class LabClaim {
  readonly #parts: LabClaimParts;

  constructor(parts: LabClaimParts) {
    this.#parts = parts;
  }

  /** `undefined` when it is not there, or has gone. */
  get status(): ClaimStatus | undefined {
    return this.#parts.cluster.claims.get(this.#parts.key);
  }

  get events(): readonly LabEvent[] {
    return this.#parts.events.of(this.#object);
  }

  /** Waits until it has a volume. @throws BerthError `deadline-exceeded` with its last warning */
  async bound(): Promise<PersistentVolume> {
    await this.#until(() => this.status?.volume !== undefined, "is not bound");
    const volume = this.status?.volume;
    if (volume === undefined) throw new BerthError("not-found", `claim ${this.#parts.key} has gone`);
    return volume;
  }

  /** Waits until it has gone, and its volume too unless that is retained. */
  async gone(): Promise<void> {
    await this.#until(() => this.#parts.cluster.claims.hasGone(this.#parts.key), "has not gone");
  }

  /** Waits until its volume has at least so many bytes. */
  async resized(bytes: bigint): Promise<void> {
    await this.#until(() => (this.status?.volume?.capacityBytes ?? 0n) >= bytes, "has not grown");
  }

  /** The first warning whose message matches, waited for. */
  async warning(message: RegExp): Promise<LabEvent> {
    return await untilWarning(this.#parts, this.#object, message);
  }

  /** As events name it. */
  get #object(): string {
    return `PersistentVolumeClaim/${this.#parts.key}`;
  }

  async #until(isSo: () => boolean, complaint: string): Promise<void> {
    await untilSoOf(this.#parts, this.#object, isSo, `claim ${this.#parts.key} ${complaint}`);
  }
}

/** `data` is `default/data`. */
export function keyOf(name: string): string {
  return name.includes("/") ? name : claimKey({ namespace: "default", name });
}
