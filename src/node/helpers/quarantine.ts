import { BerthError } from "../../core/errors.ts";

/** Whose step it is. */
export interface Held {
  readonly volumeId: string;
  /** What it may wait for (`storageOf`). */
  readonly storage?: string;
}

/**
 * Volumes with a helper that survived SIGKILL: the kernel holds it until its storage answers. Nothing
 * more is started for such a volume, or every retry would leave one more behind; and nothing for any volume on a
 * server or share that holds too many. All others go on.
 */
export class Quarantine {
  readonly #stuck = new Map<string, number>();
  readonly #stuckMax: number;

  /** @param stuckMax of one storage, and of the node's own paths */
  constructor(stuckMax: number) {
    this.#stuckMax = stuckMax;
  }

  /** @throws BerthError `aborted` for such a volume, `unavailable` when its storage has too many of them */
  check(held: Held): void {
    if (this.#stuck.has(volumeKey(held))) {
      throw new BerthError(
        "aborted",
        `volume ${held.volumeId}: a killed step of it still waits in the kernel: bring its storage back, or restart the node`,
      );
    }
    const count = this.#stuck.get(storageKey(held)) ?? 0;
    if (count >= this.#stuckMax) {
      throw new BerthError(
        "unavailable",
        `${count} killed steps for ${held.storage ?? "this node's own paths"} wait in this node's kernel, as many as may: bring the storage back, or restart the node`,
      );
    }
  }

  /** Until `gone` resolves. */
  add(held: Held, gone: Promise<void>): void {
    for (const key of [volumeKey(held), storageKey(held)]) {
      this.#count(key, 1);
      gone.then(() => this.#count(key, -1));
    }
  }

  #count(key: string, change: number): void {
    const count = (this.#stuck.get(key) ?? 0) + change;
    if (count > 0) this.#stuck.set(key, count);
    else this.#stuck.delete(key);
  }
}

function volumeKey({ volumeId }: Held): string {
  return `volume ${volumeId}`;
}

function storageKey({ storage }: Held): string {
  return storage === undefined ? "own paths" : `storage ${storage}`;
}
