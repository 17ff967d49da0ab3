import { invariants } from "../invariants/invariants.ts";
import type { Recording } from "../invariants/recording.ts";
import type { Invariant, Verdict } from "../invariants/verdict.ts";
import type { Timeline } from "../timeline/timeline.ts";

/** Checks the invariants, one line each, and says how many hold. @returns whether all do */
export function conclude(recording: Recording, timeline: Timeline): boolean {
  const verdicts = invariants.map((invariant) => ({ invariant, verdict: invariant.check(recording) }));
  for (const each of verdicts) showVerdict(each, timeline);
  const broken = verdicts.filter(({ verdict }) => verdict.status === "broken");
  const count = `${verdicts.length - broken.length} of ${verdicts.length} invariants hold`;
  timeline.text("");
  if (broken.length === 0) {
    timeline.raw(count, "good");
    return true;
  }
  const numbers = broken.map(({ invariant }) => invariant.number).join(", ");
  timeline.raw(`${count}; broken: ${numbers}`, "bad");
  return false;
}

function showVerdict(
  { invariant, verdict }: { readonly invariant: Invariant; readonly verdict: Verdict },
  timeline: Timeline,
): void {
  const isKept = verdict.status === "holds";
  timeline.raw(`${isKept ? "✓" : "✗"} ${invariant.number}  ${invariant.rule}`, isKept ? "good" : "bad");
  if (isKept) timeline.raw(`     ${verdict.detail}`, "dim");
  else timeline.text(`why: ${verdict.why}`, "bad");
}
