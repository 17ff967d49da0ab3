import type { Recording } from "./recording.ts";
import { replay, sameVolumeAndNode } from "./replay.ts";
import { broken, counted, holds, type Invariant, seconds, succeeded, type Verdict } from "./verdict.ts";

export const mountedOnce: Invariant = {
  number: 1,
  rule: "NodeStageVolume once per volume and node, NodePublishVolume once per pod",
  check(recording: Recording): Verdict {
    const publishes = succeeded(recording, "NodePublishVolume");
    if (publishes.length === 0) return broken("no pod ever got its volume: there is nothing to judge");
    const complaint = replay(recording.calls, (call, { staged }) => {
      const isStaged = staged.some((mount) => sameVolumeAndNode(mount, call));
      const at = `${call.component} at ${seconds(call.startMs)}`;
      if (call.rpc === "NodeStageVolume" && isStaged) return `${at}: staged again while still staged`;
      if (call.rpc === "NodePublishVolume" && call.stagingPath !== "" && !isStaged) {
        return `${at}: published before it was staged`;
      }
      return undefined;
    });
    return complaint === undefined ? checkPods(recording) : broken(complaint);
  },
};

function checkPods(recording: Recording): Verdict {
  const publishes = succeeded(recording, "NodePublishVolume");
  for (const pod of recording.pods) {
    const own = publishes.filter((call) => call.component === pod.node && call.path === pod.path);
    if (own.length !== 1) return broken(`pod ${pod.name}: published ${own.length} times, not once`);
  }
  const stray = publishes.find((call) => !recording.pods.some((pod) => pod.path === call.path));
  if (stray !== undefined) return broken(`${stray.component}: published at ${stray.path}, which is no pod's`);
  const stages = succeeded(recording, "NodeStageVolume").length;
  return holds(`${counted(stages, "stage")}, ${counted(publishes.length, "publish").replace(/hs$/, "hes")}`);
}
