import { assert } from "../../core/assert.ts";
import { AbortWatch } from "../../rpc/abort-watch.ts";
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
interface Waiter {
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (slot: Slot) => void;
  readonly reject: (error: unknown) => void;
  settled: boolean;
}

/** The slots of a session (RFC 8881 §2.10.6.1). Low ones are used first, so that the server may shrink its table. */
export class SlotTable {
  readonly #slots: Slot[] = [];
  readonly #busy: boolean[] = [];
  #usable: number;
  #waiters: Waiter[] = [];
  #broken: unknown;
  readonly #deadlines = new DeadlineTimer((nowMs) => this.#expire(nowMs));
  readonly #signals = new AbortWatch<Waiter>((waiter) => this.#cancel(waiter));

  constructor(slots: number) {
    assert(slots > 0, "a session has a slot");
    this.#usable = slots;
    for (let id = 0; id < slots; id++) {
      this.#slots.push({ id, sequence: 0 });
      this.#busy.push(false);
    }
  }

  /** A slot if one is free now; else `wait`. */
  take(): Slot | undefined {
    const id = this.#busy.indexOf(false);
    const slot = this.#slots[id];
    if (slot === undefined || id >= this.#usable) return undefined;
    this.#busy[id] = true;
    return slot;
  }

  /** @throws RpcError `timeout`, `cancelled`, `overload`, or what `break` was called with */
  wait(deadlineMs: number, signal: AbortSignal | undefined): Promise<Slot> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { deadlineMs, signal, resolve, reject, settled: false };
      if (this.#broken !== undefined) this.#reject(waiter, this.#broken);
      else if (signal?.aborted === true) this.#cancel(waiter);
      else if (this.#waiters.length >= nfsLimits.waitingMax) this.#refuse(waiter);
      if (waiter.settled) return;
      this.#waiters.push(waiter);
      this.#signals.add(signal, waiter);
      this.#deadlines.watch(deadlineMs);
    });
  }

  release(slot: Slot): void {
    this.#busy[slot.id] = false;
    if (this.#waiters.length > 0) this.#serve();
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
    for (const waiter of this.#waiters.splice(0)) this.#reject(waiter, error);
    this.#signals.clear();
  }

  #serve(): void {
    let waiter = this.#nextWaiter();
    while (waiter !== undefined) {
      const slot = this.take();
      if (slot === undefined) {
        this.#waiters.unshift(waiter);
        return;
      }
      this.#settle(waiter);
      waiter.resolve(slot);
      waiter = this.#nextWaiter();
    }
  }

  #nextWaiter(): Waiter | undefined {
    let waiter = this.#waiters.shift();
    while (waiter?.settled === true) waiter = this.#waiters.shift();
    return waiter;
  }

  #settle(waiter: Waiter): void {
    waiter.settled = true;
    this.#signals.remove(waiter.signal, waiter);
  }

  #reject(waiter: Waiter, error: unknown): void {
    if (waiter.settled) return;
    this.#settle(waiter);
    waiter.reject(error);
  }

  #fail(waiter: Waiter, failure: RpcFailure, message: string, cause?: unknown): void {
    this.#reject(waiter, new RpcError(failure, message, { cause }));
  }

  #cancel(waiter: Waiter): void {
    this.#fail(waiter, { kind: "cancelled" }, "cancelled before it was sent", waiter.signal?.reason);
  }

  #refuse(waiter: Waiter): void {
    this.#waiters = this.#waiters.filter((each) => !each.settled);
    if (this.#waiters.length < nfsLimits.waitingMax) return;
    const message = `${nfsLimits.waitingMax} requests wait already: start fewer at once`;
    this.#fail(waiter, { kind: "overload" }, message);
  }

  #expire(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const waiter of this.#waiters) {
      if (waiter.settled) continue;
      if (waiter.deadlineMs > nowMs) nextMs = Math.min(nextMs, waiter.deadlineMs);
      else this.#fail(waiter, { kind: "timeout" }, silent);
    }
    this.#waiters = this.#waiters.filter((each) => !each.settled);
    return nextMs;
  }
}

const silent = "no answer in time: the server has been silent on all slots";
