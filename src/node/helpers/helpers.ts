import { BerthError } from "../../core/errors.ts";
import { type NodeLimits, nodeLimits } from "../node-limits.ts";
import { Helper, type HelperHost } from "./helper.ts";
import type { Reply, Verb } from "./helper-script.ts";
import { Quarantine } from "./quarantine.ts";

export interface Step {
  /** What is in quarantine when the step cannot be killed. */
  readonly volumeId: string;
  readonly verb: Verb;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  /** What it may have to wait for (`storageOf`). */
  readonly storage?: string;
  /** That a step of the same call may still wait in the kernel, and this one is to end it. */
  readonly again?: boolean;
  /** The caller's; ends the step before its own time. */
  readonly signal?: AbortSignal;
}

/** A step for which there is no room yet. */
interface Waiting {
  readonly step: Step;
  readonly settle: PromiseWithResolvers<Helper>;
}

/** A step at work. */
interface Busy {
  readonly step: Step;
  readonly sinceMs: number;
}

/** Why there is no room for a step. */
interface Obstacle {
  /** One of them has to end first. */
  readonly holders: readonly Busy[];
  readonly refusal: BerthError;
}

/** Runs steps in helper processes: started when needed, kept when idle, killed when late. */
export class Helpers {
  readonly #host: HelperHost;
  readonly #limits: NodeLimits;
  readonly #quarantine: Quarantine;
  readonly #idle: Helper[] = [];
  readonly #busy = new Map<Helper, Busy>();
  /** First come, first served, but for those that a volume or storage of their own keeps waiting. */
  #waiting: Waiting[] = [];
  #closed = false;

  constructor(host: HelperHost, limits: NodeLimits = nodeLimits) {
    this.#host = host;
    this.#limits = limits;
    this.#quarantine = new Quarantine(limits.helpersStuckMax);
  }

  /**
   * @throws BerthError `deadline-exceeded` or `cancelled` when time or caller ended it: the step may
   * have taken effect; `aborted` in quarantine; `unavailable` when too many run; `failed-precondition`
   * without a shell
   */
  async run(step: Step): Promise<Reply> {
    if (step.again !== true) this.#quarantine.check(step);
    if (step.signal?.aborted) throw cutShort(step, step.signal);
    if (this.#closed) throw shuttingDown();
    const obstacle = this.#obstacle(step);
    const helper = obstacle === undefined ? this.#take(step) : await this.#wait(step, obstacle);
    if (step.signal?.aborted) {
      this.#give(helper);
      throw cutShort(step, step.signal);
    }
    const late = Promise.withResolvers<never>();
    const onAbort = () => late.reject(cutShort(step, step.signal));
    const timer = setTimeout(() => late.reject(tooLate(step)), step.timeoutMs);
    step.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const reply = await Promise.race([helper.run(step.verb, step.args), late.promise]);
      this.#give(helper);
      return reply;
    } catch (error) {
      await this.#discard(helper, step);
      throw error;
    } finally {
      clearTimeout(timer);
      step.signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Ends the idle ones, and kills those at work. */
  close(): void {
    this.#closed = true;
    for (const { settle } of this.#waiting.splice(0)) settle.reject(shuttingDown());
    for (const helper of this.#idle.splice(0)) helper.end();
    for (const helper of this.#busy.keys()) helper.kill();
  }

  #take(step: Step): Helper {
    let helper = this.#idle.pop();
    while (helper !== undefined && !helper.alive) helper = this.#idle.pop();
    helper ??= new Helper(this.#host);
    this.#busy.set(helper, { step, sinceMs: performance.now() });
    return helper;
  }

  /**
   * All pods of a node may come at once, after a reboot: what is refused then comes back much later. But where
   * nothing has ended for as long as one waits, nothing will.
   */
  async #wait(step: Step, { holders, refusal }: Obstacle): Promise<Helper> {
    const longAgoMs = performance.now() - this.#limits.waitMsMax;
    if (holders.every(({ sinceMs }) => sinceMs <= longAgoMs)) throw refusal;
    const waiting: Waiting = { step, settle: Promise.withResolvers() };
    this.#waiting.push(waiting);
    const leave = (reason: BerthError) => {
      this.#waiting = this.#waiting.filter((each) => each !== waiting);
      waiting.settle.reject(reason);
    };
    const onAbort = () => leave(cutShort(step, step.signal));
    const timer = setTimeout(() => leave(refusal), this.#limits.waitMsMax);
    step.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await waiting.settle.promise;
    } finally {
      clearTimeout(timer);
      step.signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Storage that does not answer keeps its steps until their deadline: those of others need helpers too. */
  #obstacle({ volumeId, storage }: Step): Obstacle | undefined {
    const { helpersBusyMax, helpersPerStorageMax, helpersPerVolumeMax } = this.#limits;
    const all = [...this.#busy.values()];
    if (all.length >= helpersBusyMax) return obstacle(all, "run on this node", "retry");
    const ofVolume = all.filter(({ step }) => step.volumeId === volumeId);
    const remedy = "look whether it answers; retry";
    if (ofVolume.length >= helpersPerVolumeMax)
      return obstacle(ofVolume, `wait for volume ${volumeId}`, remedy);
    const ofStorage = storage === undefined ? [] : all.filter(({ step }) => step.storage === storage);
    if (ofStorage.length < helpersPerStorageMax) return undefined;
    return obstacle(ofStorage, `wait for ${storage}`, remedy);
  }

  /** One has ended: whoever has waited longest, and may, is next. */
  #release(helper: Helper): void {
    this.#busy.delete(helper);
    if (this.#closed) return;
    for (const waiting of this.#waiting) {
      if (this.#obstacle(waiting.step) !== undefined) continue;
      this.#waiting = this.#waiting.filter((each) => each !== waiting);
      waiting.settle.resolve(this.#take(waiting.step));
    }
  }

  #give(helper: Helper): void {
    const isSpare = this.#idle.length >= this.#limits.helpersIdleMax;
    if (this.#closed || isSpare) helper.end();
    else this.#idle.push(helper);
    this.#release(helper);
  }

  /** After a failure: nothing is known of it, so it dies; what does not die keeps its volume back. */
  async #discard(helper: Helper, step: Step): Promise<void> {
    helper.kill();
    const timer = Promise.withResolvers<"late">();
    const timeout = setTimeout(() => timer.resolve("late"), this.#limits.killMsMax);
    const outcome = await Promise.race([helper.closed, timer.promise]);
    clearTimeout(timeout);
    if (outcome === "late") this.#quarantine.add(step, helper.closed);
    this.#release(helper);
  }
}

function obstacle(holders: readonly Busy[], why: string, remedy: string): Obstacle {
  const text = `${holders.length} steps ${why}, as many as may: ${remedy}`;
  return { holders, refusal: new BerthError("unavailable", text) };
}

function shuttingDown(): BerthError {
  return new BerthError("unavailable", "the node plugin is shutting down: retry");
}

function tooLate({ verb, volumeId, timeoutMs }: Step): BerthError {
  return new BerthError(
    "deadline-exceeded",
    `volume ${volumeId}: ${verb} did not end within ${timeoutMs} ms and was killed: look whether its storage answers`,
    { cause: { verb, timedOut: true, signal: "SIGKILL" } },
  );
}

function cutShort({ verb, volumeId }: Step, signal: AbortSignal | undefined): BerthError {
  const code =
    BerthError.from(signal?.reason).code === "deadline-exceeded" ? "deadline-exceeded" : "cancelled";
  return new BerthError(
    code,
    `volume ${volumeId}: the call ended before ${verb} did, which was killed: retry`,
    {
      cause: signal?.reason,
    },
  );
}
