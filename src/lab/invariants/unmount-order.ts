import type { RecordedCall, Recording } from "./recording.ts";
import { replay, sameVolumeAndNode } from "./replay.ts";
import { broken, counted, holds, type Invariant, seconds, succeeded, type Verdict } from "./verdict.ts";

export const unmountOrder: Invariant = {
  number: 2,
  rule: "unpublish before unstage, unstage only after the node's last pod",
  check(recording: Recording): Verdict {
    const stages = succeeded(recording, "NodeStageVolume").length;
    const unstages = succeeded(recording, "NodeUnstageVolume").length;
    if (unstages === 0)
      return broken(`${counted(stages, "stage")}, but no unstage: there is nothing to judge`);
    const complaint = replay(recording.calls, (call, { published }) => {
      if (call.rpc !== "NodeUnstageVolume") return undefined;
      const at = `${call.component} at ${seconds(call.startMs)}`;
      const left = published.find((mount) => sameVolumeAndNode(mount, call));
      if (left !== undefined) return `${at}: unstaged while still published at ${left.path}`;
      const pod = podAt(recording, call);
      return pod === undefined ? undefined : `${at}: unstaged while pod ${pod.name} still ran`;
    });
    if (complaint !== undefined) return broken(complaint);
    return holds(`${counted(unstages, "unstage")}, each after the node's last pod and unpublish`);
  },
};

function podAt(recording: Recording, call: RecordedCall) {
  return recording.pods.find(
    (pod) =>
      pod.node === call.component &&
      pod.volumeId === call.volumeId &&
      pod.startMs <= call.startMs &&
      (pod.endMs === undefined || pod.endMs > call.startMs),
  );
}
