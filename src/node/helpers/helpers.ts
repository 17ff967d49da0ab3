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
  /** The NFS server that it may have to wait for. */
  readonly server?: string;
  /** That a step of the same call may still wait in the kernel, and this one is to end it. */
  readonly again?: boolean;
  /** The caller's; ends the step before its own time. */
  readonly signal?: AbortSignal;
}

/** A step for which there is no room yet. */
interface Waiting {
  readonly server: string | undefined;
  readonly settle: PromiseWithResolvers<Helper>;
}

/** Runs steps in helper processes: started when needed, kept when idle, killed when late. */
export class Helpers {
  readonly #host: HelperHost;
  readonly #limits: NodeLimits;
  readonly #quarantine: Quarantine;
  readonly #idle: Helper[] = [];
  /** At work, and for which server. */
  readonly #busy = new Map<Helper, string | undefined>();
  /** First come, first served, but for those that a server of their own keeps waiting. */
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
    const refusal = this.#refusal(step.server);
    const helper = refusal === undefined ? this.#take(step.server) : await this.#wait(step, refusal);
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

  #take(server: string | undefined): Helper {
    let helper = this.#idle.pop();
    while (helper !== undefined && !helper.alive) helper = this.#idle.pop();
    helper ??= new Helper(this.#host);
    this.#busy.set(helper, server);
    return helper;
  }

  /**
   * All pods of a node may come at once, after a reboot: what is refused then comes back much later.
   * @param refusal when there is no room in time
   */
  async #wait(step: Step, refusal: BerthError): Promise<Helper> {
    const waiting: Waiting = { server: step.server, settle: Promise.withResolvers() };
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

  /** A server that does not answer keeps its steps until their deadline: those of others need helpers too. */
  #refusal(server: string | undefined): BerthError | undefined {
    const { helpersBusyMax, helpersPerServerMax } = this.#limits;
    if (this.#busy.size >= helpersBusyMax) {
      return new BerthError(
        "unavailable",
        `${this.#busy.size} steps run on this node, as many as may: retry`,
      );
    }
    if (server === undefined) return undefined;
    const count = [...this.#busy.values()].filter((each) => each === server).length;
    if (count < helpersPerServerMax) return undefined;
    return new BerthError(
      "unavailable",
      `${count} steps wait for the NFS server ${server}, as many as may: look whether it answers; retry`,
    );
  }

  /** One has ended: whoever has waited longest, and may, is next. */
  #release(helper: Helper): void {
    this.#busy.delete(helper);
    if (this.#closed) return;
    for (const waiting of this.#waiting) {
      if (this.#refusal(waiting.server) !== undefined) continue;
      this.#waiting = this.#waiting.filter((each) => each !== waiting);
      waiting.settle.resolve(this.#take(waiting.server));
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
