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
 * @returns whether the step was reached
 */
export async function hurt<Seen>(
  fixture: { readonly share: Share; through(hooked: Share): Seen },
  injury: (step: number, at: number) => Fate,
  at: number,
  work: (seen: Seen) => Promise<unknown>,
): Promise<boolean> {
  let reached = false;
  const decide = (step: number): Fate => {
    reached ||= step >= at;
    return injury(step, at);
  };
  try {
    await work(fixture.through(hookedShare(fixture.share, decide, broken)));
  } catch (reason) {
    assert.ok(reason instanceof BerthError, `no error of ours at step ${at}: ${reason}`);
  }
  return reached;
}

/** Runs `check` for n = 0, 1, 2, … until the sequence ends before its n-th step. */
export async function atEveryStep(check: (at: number) => Promise<boolean>): Promise<void> {
  for (let at = 0; at < stepsMax; at += 1)
    if (!(await check(at))) return assert.ok(at > 2, "hardly any steps");
  assert.fail("the sequence does not end");
}
