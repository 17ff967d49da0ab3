/** What `kubectl describe` shows below an object: what was tried for it, and what came of it. */
import type { Pod } from "./objects.ts";

export interface LabEvent {
  /** Milliseconds since the lab began. */
  readonly ms: number;
  readonly type: "Normal" | "Warning";
  /** Kubernetes' own word: `ProvisioningFailed`, `FailedMount`, … */
  readonly reason: string;
  /** `PersistentVolumeClaim/default/data`. */
  readonly object: string;
  readonly message: string;
}

const eventsMax = 10_000;

/** All that changes in the lab, and a way to wait for it. */
export class Changes {
  #changed = Promise.withResolvers<void>();
  readonly #listeners: (() => void)[] = [];

  /** Calls the listener at every change from now on. */
  listen(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Something is different: who listens may act on it, and whoever waits looks again. */
  notify(): void {
    for (const listener of this.#listeners) listener();
    this.wake();
  }

  /** Whoever waits looks again. */
  wake(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }

  /** Resolves once `isSo` holds; rejects with the signal's reason when it fires first. */
  async until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    const stopped = Promise.withResolvers<never>();
    const onAbort = () => stopped.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    stopped.promise.catch(() => {}); // nobody may be waiting when the signal fires
    try {
      while (!isSo()) {
        signal.throwIfAborted();
        await Promise.race([this.#changed.promise, stopped.promise]);
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}

/** The events of one lab, oldest first; of very many, the newest. */
export class Events {
  readonly #elapsedMs: () => number;
  readonly #changes: Changes;
  readonly #onEvent: (event: LabEvent) => void;
  #events: LabEvent[] = [];

  constructor(elapsedMs: () => number, changes: Changes, onEvent: (event: LabEvent) => void) {
    this.#elapsedMs = elapsedMs;
    this.#changes = changes;
    this.#onEvent = onEvent;
  }

  add(type: LabEvent["type"], object: string, reason: string, message: string): void {
    const event = { ms: this.#elapsedMs(), type, reason, object, message };
    this.#events = [...this.#events.slice(1 - eventsMax), event];
    this.#onEvent(event);
    this.#changes.notify();
  }

  /** Of one object, or of all. */
  of(object?: string): readonly LabEvent[] {
    return object === undefined ? this.#events : this.#events.filter((event) => event.object === object);
  }
}

/** Hears why kubelet did not call the driver. */
export type Note = (component: string, text: string) => void;

/** Hears what kubelet would report as an event of the pod. */
export type PodEvent = (pod: Pod, reason: string, message: string) => void;
