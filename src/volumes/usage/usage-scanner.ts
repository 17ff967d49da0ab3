import { BerthError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { UsageRecord } from "../../core/usage-record.ts";
import type { VolumeName } from "../../core/volume-id.ts";
import { idOf, isInPlace, listNames, readRecord } from "../catalog.ts";
import type { ShareContext } from "../context.ts";
import { nonceOf } from "../record.ts";
import { readUsage, writeUsage } from "./usage-files.ts";
import { planNext, type UsagePace } from "./usage-plan.ts";

/** Names are listed so often, for new volumes. */
const roundMsMax = 60_000;

export interface UsageRound {
  readonly measured: number;
  readonly entries: number;
  /** From when on the next one is due; undefined: there is no volume. */
  readonly nextMs: number | undefined;
}

/**
 * Measures what each volume of one share takes, one after the other, and leaves it beside the volume's record.
 * When each is due stands there too: so it goes on after a restart, and of two controllers the second finds
 * done what the first has done. (Both may begin with the same volume at the same moment; they begin at
 * different places, so that is rare, and only twice the work.)
 */
export class UsageScanner {
  readonly #context: ShareContext;
  readonly #pace: UsagePace;
  readonly #log: Log;
  /** When each is due, as far as this process knows. */
  readonly #due = new Map<VolumeName, number>();

  constructor(context: ShareContext, pace: UsagePace, log: Log) {
    this.#context = context;
    this.#pace = pace;
    this.#log = log;
  }

  /** Rounds until the signal fires. A round that fails is logged; the next one tries again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, share } = this.#context;
    while (!signal.aborted) {
      let waitMs = roundMsMax;
      try {
        const { nextMs } = await this.round(signal);
        if (nextMs !== undefined) waitMs = Math.min(Math.max(nextMs - clock.nowMs(), 0), roundMsMax);
      } catch (reason) {
        if (signal.aborted) return;
        this.#log.warn(`usage could not be measured: ${BerthError.from(reason).message}`, {
          share: share.name,
        });
      }
      await clock.sleep(Math.max(waitMs, Math.min(1000, this.#pace.intervalMs)), signal).catch(ignoreAbort);
    }
  }

  /** Measures every volume that is due. */
  async round(signal: AbortSignal): Promise<UsageRound> {
    const { clock, share } = this.#context;
    const names = await listNames(share);
    this.#forgetOthers(names);
    let [measured, entries] = [0, 0];
    for (const name of rotated(names, this.#context.newNonce())) {
      signal.throwIfAborted();
      if ((this.#due.get(name) ?? 0) > clock.nowMs()) continue;
      const found = await this.#measureIfDue(name, signal);
      if (found === undefined) continue;
      measured += 1;
      entries += Number(found.usedInodes);
      await this.#rest(found.durationMs, signal);
    }
    if (measured > 0) this.#log.debug(`measured ${measured} volumes of ${share.name}`, { entries });
    const due = [...this.#due.values()];
    return { measured, entries, nextMs: due.length === 0 ? undefined : Math.min(...due) };
  }

  async #measureIfDue(name: VolumeName, signal: AbortSignal): Promise<UsageRecord | undefined> {
    const { clock } = this.#context;
    try {
      return await this.#measure(name, signal);
    } catch (reason) {
      signal.throwIfAborted();
      if (!(reason instanceof BerthError)) throw reason;
      this.#due.set(name, clock.nowMs() + this.#pace.intervalMs);
      this.#log.warn(`the usage of volume ${name} could not be measured: ${reason.message}`, {
        share: this.#context.share.name,
      });
      return undefined;
    }
  }

  /** @returns undefined when it is not due after all, or not there, or not ours */
  async #measure(name: VolumeName, signal: AbortSignal): Promise<UsageRecord | undefined> {
    const { share, clock, owner } = this.#context;
    this.#due.set(name, clock.nowMs() + this.#pace.intervalMs);
    const record = await readRecord(share, name);
    if (record === undefined || record.deleted !== undefined) return undefined;
    if (idOf(record, name, owner) === undefined || !(await isInPlace(share, record))) return undefined;
    const nonce = nonceOf(record.identity);
    const before = await readUsage(share, name, nonce);
    if (before !== undefined && before.nextMs > clock.nowMs()) {
      this.#due.set(name, before.nextMs);
      return undefined;
    }
    const measuredMs = clock.nowMs();
    const { path } = record.identity.directory;
    const { entriesPerSecondMax } = this.#pace;
    const usage = await share.usage(path, { signal, entriesPerSecondMax });
    const durationMs = clock.nowMs() - measuredMs;
    const measured = {
      usedBytes: usage.usedBytes,
      usedInodes: BigInt(usage.inodes),
      measuredMs,
      durationMs,
    };
    const plan = planNext(measured, before, Date.parse(record.identity.createdAt), this.#pace);
    const after: UsageRecord = { nonce, ...measured, approximate: usage.approximate, ...plan };
    await writeUsage(this.#context, name, after);
    this.#due.set(name, plan.nextMs);
    return after;
  }

  async #rest(durationMs: number, signal: AbortSignal): Promise<void> {
    const restMs = durationMs * (1 / this.#pace.timeShareMax - 1);
    if (restMs > 0) await this.#context.clock.sleep(restMs, signal);
  }

  #forgetOthers(names: readonly VolumeName[]): void {
    const there = new Set(names);
    for (const name of this.#due.keys()) if (!there.has(name)) this.#due.delete(name);
    for (const name of names) if (!this.#due.has(name)) this.#due.set(name, 0);
  }
}

/** From a place that differs from process to process, and from round to round. */
function rotated<T>(items: readonly T[], nonce: string): T[] {
  const seed = [...nonce].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 2 ** 31, 0);
  const start = items.length === 0 ? 0 : seed % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/** The sleep ends early when the scanner is asked to stop; the loop sees that itself. */
function ignoreAbort(): void {}
