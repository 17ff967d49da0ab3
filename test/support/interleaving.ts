/** Stops a sequence of steps on a share at each of them, in each way in which the world stops things. */
import assert from "node:assert/strict";
import { BerthError } from "../../src/core/errors.ts";
import type { Share } from "../../src/share/share.ts";
import { type Fate, hookedShare } from "./hooked-share.ts";

export const stepsMax = 60;
/** How a sequence is hurt at step n. */
export const injuries: Readonly<Record<string, (step: number, at: number) => Fate>> = {
  "a power cut before the step": (step, at) => (step < at ? "done" : "not done"),
  "a power cut after the step": (step, at) =>
    step < at ? "done" : step === at ? "done, answer lost" : "not done",
  "a lost answer, and no more": (step, at) => (step === at ? "done, answer lost" : "done"),
  "one failed step": (step, at) => (step === at ? "not done" : "done"),
};
const broken = () => new BerthError("storage-unavailable", "the server does not answer");

/**
 * Lets `work` see the share through hands that fail at step `at`.
 * @param together lists of steps are one, as where they are one request
 * @returns whether the step was reached
 */
export async function hurt<Seen>(
  fixture: { readonly share: Share; through(hooked: Share): Seen },
  injury: (step: number, at: number) => Fate,
  at: number,
  work: (seen: Seen) => Promise<unknown>,
  together = false,
): Promise<boolean> {
  let reached = false;
  const decide = (step: number): Fate => {
    reached ||= step >= at;
    return injury(step, at);
  };
  try {
    await work(fixture.through(hookedShare(fixture.share, decide, broken, together)));
  } catch (reason) {
    assert.ok(reason instanceof BerthError, `no error of ours at step ${at}: ${reason}`);
  }
  return reached;
}

/** A process that sleeps before one of its steps, and all of it until `meanwhile` is over; then it may die after one. */
export class Sleeper {
  readonly share: Share;
  hasSlept = false;
  hasDied = false;

  /** @param dies the step after which it dies; Infinity for never */
  constructor(share: Share, sleeps: number, dies: number, meanwhile: () => Promise<void>) {
    let night: Promise<void> | undefined;
    const decide = async (step: number): Promise<Fate> => {
      if (step === sleeps) night = meanwhile();
      await night;
      this.hasSlept ||= step >= sleeps;
      this.hasDied ||= step >= dies;
      if (step < dies) return "done";
      return step === dies ? "done, answer lost" : "not done";
    };
    this.share = hookedShare(share, decide, () => new Error("killed"));
  }
}

/** Runs `check` for each step to sleep before, and each later one to die after. */
export async function atEveryNight(check: (sleeps: number, dies: number) => Promise<Sleeper>): Promise<void> {
  await atEveryStep(async (sleeps) => {
    const { hasSlept } = await check(sleeps, Number.POSITIVE_INFINITY);
    for (let dies = sleeps; hasSlept && (await check(sleeps, dies)).hasDied; dies += 1)
      assert.ok(dies < stepsMax);
    return hasSlept;
  });
}

/** Runs `check` for n = 0, 1, 2, … until the sequence ends before its n-th step. */
export async function atEveryStep(check: (at: number) => Promise<boolean>): Promise<void> {
  for (let at = 0; at < stepsMax; at += 1)
    if (!(await check(at))) return assert.ok(at > 2, "hardly any steps");
  assert.fail("the sequence does not end");
}
