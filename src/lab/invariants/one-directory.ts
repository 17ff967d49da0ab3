import { type Mount, sameDirectory } from "../machine/mount-table.ts";
import type { RecordedCall, Recording } from "./recording.ts";
import { broken, counted, holds, type Invariant, succeeded, type Verdict } from "./verdict.ts";

export const oneDirectory: Invariant = {
  number: 4,
  rule: "a pod's mount and its node's mount are the same directory of the share",
  check(recording: Recording): Verdict {
    const publishes = succeeded(recording, "NodePublishVolume").filter(
      ({ stagingPath }) => stagingPath !== "",
    );
    if (publishes.length === 0) return broken("nothing was published from a staged mount");
    for (const publish of publishes) {
      const complaint = differs(recording, publish);
      if (complaint !== undefined) return broken(`${publish.component}: ${complaint}`);
    }
    return holds(`${counted(publishes.length, "pod")}: same device and directory on the node and in the pod`);
  },
};

function differs(recording: Recording, publish: RecordedCall): string | undefined {
  const table = recording.tables.find(({ node, ms }) => node === publish.component && ms >= publish.endMs);
  const staged = table?.mounts.find(({ path }) => path === publish.stagingPath);
  const published = table?.mounts.find(({ path }) => path === publish.path);
  if (staged === undefined) return `nothing is mounted at ${publish.stagingPath} after the publish`;
  if (published === undefined) return `nothing is mounted at ${publish.path} after the publish`;
  if (!sameDirectory(staged, published)) return `${print(staged)} and ${print(published)} differ`;
  const pod = recording.pods.find(({ path }) => path === publish.path);
  if (pod?.data === undefined) return `the pod at ${publish.path} has no /data of its own`;
  return sameDirectory(staged, pod.data)
    ? undefined
    : `${print(staged)} and ${print(pod.data)} of the pod differ`;
}

function print({ device, root, path }: Mount): string {
  return `${device}${root} at ${path}`;
}
