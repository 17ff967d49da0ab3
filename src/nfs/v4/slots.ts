import { assert } from "../../core/assert.ts";
import { DeadlineTimer } from "../../rpc/deadline-timer.ts";
import { RpcError, type RpcFailure } from "../../rpc/rpc-error.ts";
import { nfsLimits } from "../limits.ts";

/** A place for one request at the server (RFC 8881 §2.10.6.1). */
export interface Slot {
  readonly id: number;
  /** Of the last request that the server took; the next has one more. */
  sequence: number;
}

/** Who waits for a slot, in order. */
class Waiter {
  readonly deadlineMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (slot: Slot) => void;
  readonly #reject: (error: unknown) => void;
  settled = false;

  constructor(
    deadlineMs: number,
    signal: AbortSignal | undefined,
    resolve: (slot: Slot) => void,
    reject: (error: unknown) => void,
  ) {
    this.deadlineMs = deadlineMs;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    signal?.addEventListener("abort", this);
  }

  handleEvent(): void {
    this.fail({ kind: "cancelled" }, "cancelled before it was sent", this.#signal?.reason);
  }

  give(slot: Slot): void {
    this.#settle();
    this.#resolve(slot);
  }

  fail(failure: RpcFailure, message: string, cause?: unknown): void {
    this.failWith(new RpcError(failure, message, { cause }));
  }

  failWith(error: unknown): void {
    if (this.settled) return;
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.settled = true;
    this.#signal?.removeEventListener("abort", this);
  }
}

/** The slots of a session. Low ones are used first, so that the server may shrink its table. */
export class SlotTable {
  readonly #free: Slot[] = [];
  readonly #busy: boolean[] = [];
  #usable: number;
  #waiters: Waiter[] = [];
  #broken: unknown;
  readonly #deadlines = new DeadlineTimer((nowMs) => this.#expire(nowMs));

  constructor(slots: number) {
    assert(slots > 0, "a session has a slot");
    this.#usable = slots;
    for (let id = slots - 1; id >= 0; id--) {
      this.#free.push({ id, sequence: 0 });
      this.#busy.push(false);
    }
  }

  /** A slot if one is free now; else `wait`. */
  take(): Slot | undefined {
    const slot = this.#free.at(-1);
    if (slot === undefined || slot.id >= this.#usable) return undefined;
    this.#free.pop();
    this.#busy[slot.id] = true;
    return slot;
  }

  /** @throws RpcError `timeout`, `cancelled`, `overload`, or what `break` was called with */
  wait(deadlineMs: number, signal: AbortSignal | undefined): Promise<Slot> {
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(deadlineMs, signal, resolve, reject);
      if (this.#broken !== undefined) waiter.failWith(this.#broken);
      else if (signal?.aborted === true) waiter.handleEvent();
      else if (this.#waiters.length >= nfsLimits.waitingMax) this.#refuse(waiter);
      if (waiter.settled) return;
      this.#waiters.push(waiter);
      this.#deadlines.watch(deadlineMs);
    });
  }

  release(slot: Slot): void {
    this.#busy[slot.id] = false;
    this.#insert(slot);
    this.#serve();
  }

  /** The highest slot in use (RFC 8881 §18.46.3 `sa_highest_slotid`). */
  get highestBusy(): number {
    return Math.max(0, this.#busy.lastIndexOf(true));
  }

  /** The server wants slots up to `highest` to be used only (RFC 8881 §2.10.6.1). */
  setTarget(highest: number): void {
    const usable = Math.min(this.#busy.length, highest + 1);
    if (usable === this.#usable) return;
    this.#usable = usable;
    this.#serve();
  }

  /** The session is lost: nobody gets a slot any more. */
  break(error: unknown): void {
    this.#broken = error;
    this.#deadlines.clear();
    for (const waiter of this.#waiters.splice(0)) waiter.failWith(error);
  }

  /** Keeps the lowest on top. Mostly the one that comes back belongs there already. */
  #insert(slot: Slot): void {
    let index = this.#free.length;
    for (; index > 0; index--) {
      const below = this.#free[index - 1];
      if (below === undefined || below.id > slot.id) break;
    }
    this.#free.splice(index, 0, slot);
  }

  #serve(): void {
    let waiter = this.#nextWaiter();
    while (waiter !== undefined) {
      const slot = this.take();
      if (slot === undefined) {
        this.#waiters.unshift(waiter);
        return;
      }
      waiter.give(slot);
      waiter = this.#nextWaiter();
    }
  }

  #nextWaiter(): Waiter | undefined {
    let waiter = this.#waiters.shift();
    while (waiter?.settled === true) waiter = this.#waiters.shift();
    return waiter;
  }

  #refuse(waiter: Waiter): void {
    this.#waiters = this.#waiters.filter((each) => !each.settled);
    if (this.#waiters.length < nfsLimits.waitingMax) return;
    waiter.fail({ kind: "overload" }, `${nfsLimits.waitingMax} requests wait already: start fewer at once`);
  }

  #expire(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const waiter of this.#waiters) {
      if (waiter.settled) continue;
      if (waiter.deadlineMs > nowMs) nextMs = Math.min(nextMs, waiter.deadlineMs);
      else waiter.fail({ kind: "timeout" }, "no answer in time: the server has been silent on all slots");
    }
    this.#waiters = this.#waiters.filter((each) => !each.settled);
    return nextMs;
  }
}
