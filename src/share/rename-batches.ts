import type { DirectoryGates } from "./directory-gates.ts";
import type { SharePath } from "./share-path.ts";

/** A name in a directory. */
export interface Place {
  readonly parent: SharePath;
  readonly name: string;
}

export interface Move {
  readonly source: Place;
  readonly target: Place;
  /** As messages name it, and where it goes. */
  readonly path: SharePath;
  readonly newPath: SharePath;
  readonly signal?: AbortSignal | undefined;
}

interface Waiting extends Move {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** What a move does to directories in which others work. */
export interface Disturbance {
  /** It has to be alone in these. */
  readonly alone: readonly SharePath[];
  /** These are only looked into. */
  readonly way: readonly SharePath[];
}

/**
 * Moves that have to be alone in the same directories wait for that together and then go at once: one by one they would
 * hold up all that works there.
 */
export class RenameBatches {
  readonly #gates: DirectoryGates;
  readonly #disturbanceOf: (move: Move) => Disturbance;
  readonly #move: (moves: readonly Move[]) => Promise<ReadonlyMap<number, unknown>>;
  /** Those that have not begun yet, by their directories. */
  readonly #batches = new Map<string, Waiting[]>();

  /** @param move moves all. @returns the failures, by index */
  constructor(
    gates: DirectoryGates,
    disturbanceOf: (move: Move) => Disturbance,
    move: (moves: readonly Move[]) => Promise<ReadonlyMap<number, unknown>>,
  ) {
    this.#gates = gates;
    this.#disturbanceOf = disturbanceOf;
    this.#move = move;
  }

  /** Rejects with the error of this very move. */
  run(move: Move): Promise<void> {
    return new Promise((resolve, reject) => this.#add({ ...move, resolve, reject }));
  }

  #add(waiting: Waiting): void {
    const { alone, way } = this.#disturbanceOf(waiting);
    const key = [alone.join("\0"), way.join("\0")].join("\0\0");
    const known = this.#batches.get(key);
    if (known !== undefined) {
      known.push(waiting);
      return;
    }
    const batch = [waiting];
    this.#batches.set(key, batch);
    void this.#gates.alone(alone, way, async () => {
      this.#batches.delete(key);
      await this.#settle(batch);
    });
  }

  async #settle(batch: readonly Waiting[]): Promise<void> {
    try {
      const failures = await this.#move(batch);
      for (const [index, { resolve, reject }] of batch.entries()) {
        const failure = failures.get(index);
        if (failure === undefined) resolve();
        else reject(failure);
      }
    } catch (reason) {
      for (const { reject } of batch) reject(reason);
    }
  }
}

/** Fires when nobody waits for any of them any more. */
export function signalOfAll(moves: readonly Move[]): AbortSignal | undefined {
  const signals = moves.map(({ signal }) => signal).filter((signal) => signal !== undefined);
  if (signals.length < moves.length) return undefined;
  const [only] = signals;
  if (signals.length === 1) return only;
  const all = new AbortController();
  let left = signals.length;
  const leave = () => {
    left -= 1;
    if (left === 0) all.abort();
  };
  for (const signal of signals) {
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
  }
  return all.signal;
}
