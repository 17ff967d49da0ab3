import { BerthError } from "../core/errors.ts";

/**
 * Volumes with a helper that survived SIGKILL: the kernel holds it until a server answers. Nothing
 * more is started for such a volume, or every retry would leave one more behind.
 */
export class Quarantine {
  readonly #stuck = new Map<string, number>();
  readonly #stuckMax: number;
  #total = 0;

  constructor(stuckMax: number) {
    this.#stuckMax = stuckMax;
  }

  /** @throws BerthError `aborted` for such a volume, `unavailable` when there are too many of them */
  check(volumeId: string): void {
    if (this.#stuck.has(volumeId)) {
      throw new BerthError(
        "aborted",
        `volume ${volumeId}: a killed step of it still waits in the kernel: bring its storage back, or restart the node`,
      );
    }
    if (this.#total >= this.#stuckMax) {
      throw new BerthError(
        "unavailable",
        `${this.#total} killed steps wait in this node's kernel, as many as may: bring their storage back, or restart the node`,
      );
    }
  }

  /** Until `gone` resolves. */
  add(volumeId: string, gone: Promise<void>): void {
    this.#count(volumeId, 1);
    gone.then(() => this.#count(volumeId, -1));
  }

  get size(): number {
    return this.#total;
  }

  #count(volumeId: string, change: number): void {
    const count = (this.#stuck.get(volumeId) ?? 0) + change;
    this.#total += change;
    if (count > 0) this.#stuck.set(volumeId, count);
    else this.#stuck.delete(volumeId);
  }
}
