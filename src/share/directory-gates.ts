import type { SharePath } from "./share-path.ts";

interface Waiter {
  readonly alone: boolean;
  readonly begin: () => void;
}

/** Who works in one directory now. */
interface Gate {
  working: number;
  /** What works there must not have company. */
  alone: boolean;
  /** The one who came first is the first. */
  readonly waiting: Set<Waiter>;
}

/** As long as the server's own delay: to wait longer gains nothing, and a server that hangs holds nobody up. */
const waitMsMax = 1000;

/**
 * Keeps what works in directories apart from what is moved between two of them. NFS-Ganesha (4.3 and others before)
 * answers a rename a whole second late when another request is in one of the two directories at that moment: it
 * sleeps and tries again. This is for speed only: nothing relies on being alone.
 */
export class DirectoryGates {
  readonly #gates = new Map<SharePath, Gate>();

  /** Runs what works in some directories beside others of its kind. */
  async beside<R>(directories: readonly SharePath[], work: () => Promise<R>): Promise<R> {
    return await this.#within(inOrder(directories), false, work);
  }

  /** Runs what moves something between two directories while nothing else works in either. */
  async alone<R>(one: SharePath, other: SharePath, work: () => Promise<R>): Promise<R> {
    return await this.#within(inOrder([one, other]), true, work);
  }

  async #within<R>(directories: readonly SharePath[], alone: boolean, work: () => Promise<R>): Promise<R> {
    const entered: Gate[] = [];
    try {
      for (const directory of directories) {
        const gate = this.#gateOf(directory);
        const turn = enter(gate, alone);
        if (turn !== undefined) await turn;
        entered.push(gate);
      }
      return await work();
    } finally {
      for (const gate of entered) leave(gate);
      for (const directory of directories) this.#forget(directory);
    }
  }

  #gateOf(directory: SharePath): Gate {
    const known = this.#gates.get(directory);
    if (known !== undefined) return known;
    const gate: Gate = { working: 0, alone: false, waiting: new Set() };
    this.#gates.set(directory, gate);
    return gate;
  }

  #forget(directory: SharePath): void {
    const gate = this.#gates.get(directory);
    if (gate?.working === 0 && gate.waiting.size === 0) this.#gates.delete(directory);
  }
}

/** @returns undefined when it has entered; else what to wait for */
function enter(gate: Gate, alone: boolean): Promise<void> | undefined {
  if (gate.working === 0 || (!alone && !gate.alone && gate.waiting.size === 0)) {
    begin(gate, alone);
    return undefined;
  }
  return new Promise((resolve) => {
    const waiter: Waiter = {
      alone,
      begin: () => {
        clearTimeout(timer);
        gate.waiting.delete(waiter);
        begin(gate, alone);
        resolve();
      },
    };
    const timer = setTimeout(waiter.begin, waitMsMax);
    gate.waiting.add(waiter);
  });
}

function begin(gate: Gate, alone: boolean): void {
  gate.alone = alone || (gate.alone && gate.working > 0);
  gate.working += 1;
}

function leave(gate: Gate): void {
  gate.working -= 1;
  for (const waiter of gate.waiting) {
    if (gate.working > 0 && (waiter.alone || gate.alone)) return;
    waiter.begin();
  }
}

/** Everybody enters in the same order: so no two wait for each other. */
const inOrder = (directories: readonly SharePath[]): readonly SharePath[] =>
  directories.length < 2 ? directories : [...new Set(directories)].sort();
