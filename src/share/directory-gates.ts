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
  readonly waiting: Waiter[];
}

const none: readonly SharePath[] = [];

/** As long as the server's own delay: to wait longer gains nothing, and a server that hangs holds nobody up. */
const waitMsMax = 1000;

/**
 * Keeps what works in directories apart from what is moved between two of them. NFS-Ganesha (4.3 and others before)
 * answers a rename a whole second late when another request is in one of the two directories at that moment: it
 * sleeps and tries again. This is for speed only: nothing relies on being alone.
 */
export class DirectoryGates {
  readonly #gates = new Map<SharePath, Gate>();

  /**
   * Runs what works in some directories beside others of its kind.
   * @param directories in their order (of strings), so that no two wait for each other
   */
  beside<R>(directories: readonly SharePath[], work: () => Promise<R>): Promise<R> {
    return this.#within(directories, none, work);
  }

  /**
   * Runs what moves things between directories while nothing else works in these.
   * @param way directories that are looked into for it, beside others
   */
  alone<R>(directories: readonly SharePath[], way: readonly SharePath[], work: () => Promise<R>): Promise<R> {
    return this.#within([...new Set([...directories, ...way])].sort(), directories, work);
  }

  async #within<R>(
    directories: readonly SharePath[],
    alone: readonly SharePath[],
    work: () => Promise<R>,
  ): Promise<R> {
    for (const directory of directories) {
      const turn = enter(this.#gateOf(directory), alone.includes(directory));
      if (turn !== undefined) await turn;
    }
    try {
      return await work();
    } finally {
      for (const directory of directories) this.#leave(directory);
    }
  }

  #gateOf(directory: SharePath): Gate {
    const known = this.#gates.get(directory);
    if (known !== undefined) return known;
    const gate: Gate = { working: 0, alone: false, waiting: [] };
    this.#gates.set(directory, gate);
    return gate;
  }

  #leave(directory: SharePath): void {
    const gate = this.#gateOf(directory);
    gate.working -= 1;
    beginNext(gate);
    if (gate.working === 0) this.#gates.delete(directory);
  }
}

/** @returns undefined when it has entered; else what to wait for */
function enter(gate: Gate, alone: boolean): Promise<void> | undefined {
  if (gate.working === 0 || (!alone && !gate.alone && gate.waiting.length === 0)) {
    begin(gate, alone);
    return undefined;
  }
  return new Promise((resolve) => {
    const waiter: Waiter = {
      alone,
      begin: () => {
        clearTimeout(timer);
        gate.waiting.splice(gate.waiting.indexOf(waiter), 1);
        begin(gate, alone);
        resolve();
      },
    };
    const timer = setTimeout(waiter.begin, waitMsMax);
    gate.waiting.push(waiter);
  });
}

function begin(gate: Gate, alone: boolean): void {
  gate.alone = alone || (gate.alone && gate.working > 0);
  gate.working += 1;
}

function beginNext(gate: Gate): void {
  for (let [next] = gate.waiting; next !== undefined; [next] = gate.waiting) {
    if (gate.working > 0 && (next.alone || gate.alone)) return;
    next.begin();
  }
}
