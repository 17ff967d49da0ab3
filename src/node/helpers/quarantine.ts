import { BerthError } from "../../core/errors.ts";

/** Whose step it is. */
export interface Held {
  readonly volumeId: string;
  /** The NFS server that it may wait for. */
  readonly server?: string;
}

/**
 * Volumes with a helper that survived SIGKILL: the kernel holds it until a server answers. Nothing
 * more is started for such a volume, or every retry would leave one more behind; and nothing for any volume of a
 * server that holds too many. Other servers' volumes go on.
 */
export class Quarantine {
  readonly #stuck = new Map<string, number>();
  readonly #stuckMax: number;

  /** @param stuckMax of one server, and of all local file systems together */
  constructor(stuckMax: number) {
    this.#stuckMax = stuckMax;
  }

  /** @throws BerthError `aborted` for such a volume, `unavailable` when its server has too many of them */
  check(held: Held): void {
    if (this.#stuck.has(volumeKey(held))) {
      throw new BerthError(
        "aborted",
        `volume ${held.volumeId}: a killed step of it still waits in the kernel: bring its storage back, or restart the node`,
      );
    }
    const count = this.#stuck.get(serverKey(held)) ?? 0;
    if (count >= this.#stuckMax) {
      const where = held.server === undefined ? "local file systems" : `the NFS server ${held.server}`;
      throw new BerthError(
        "unavailable",
        `${count} killed steps for ${where} wait in this node's kernel, as many as may: bring the storage back, or restart the node`,
      );
    }
  }

  /** Until `gone` resolves. */
  add(held: Held, gone: Promise<void>): void {
    for (const key of [volumeKey(held), serverKey(held)]) {
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

function serverKey({ server }: Held): string {
  return server === undefined ? "local" : `server ${server}`;
}
