import { basename } from "node:path";
import { type Mount, sameDirectory } from "../machine/mount-table.ts";
import type { RecordedCall, Recording } from "./recording.ts";
import { replay } from "./replay.ts";
import { broken, holds, type Invariant, seconds, succeeded, type Verdict } from "./verdict.ts";

export const deleteUnused: Invariant = {
  number: 5,
  rule: "DeleteVolume only when no node has the volume staged or published",
  check(recording: Recording): Verdict {
    const [deleted] = succeeded(recording, "DeleteVolume");
    if (deleted === undefined) return broken("no volume was deleted: there is nothing to judge");
    const complaint = replay(recording.calls, (call, { staged, published }) => {
      if (call.rpc !== "DeleteVolume") return undefined;
      const inUse = [...staged, ...published].find(({ volumeId }) => volumeId === call.volumeId);
      if (inUse === undefined) return stillMounted(recording, call);
      return `at ${seconds(call.startMs)}: deleted while ${inUse.component} has it at ${inUse.path}`;
    });
    if (complaint !== undefined) return broken(complaint);
    const left = directoryLeft(recording, deleted);
    if (left !== undefined) return broken(`deleted, yet the share still has the directory ${left}`);
    return holds("deleted once all nodes had let go; its directory is gone from the share");
  },
};

/** What the calls do not tell: a mount that a plugin left behind, or made without being asked. */
function stillMounted(recording: Recording, call: RecordedCall): string | undefined {
  const known = mountsOf(recording, call.volumeId);
  for (const { name } of recording.nodes) {
    const table = recording.tables.findLast(({ node, ms }) => node === name && ms <= call.startMs);
    const left = table?.mounts.find((mount) => known.some((each) => sameDirectory(each, mount)));
    if (left !== undefined)
      return `at ${seconds(call.startMs)}: deleted while mounted on ${name} at ${left.path}`;
  }
  return undefined;
}

function directoryLeft(recording: Recording, { volumeId }: RecordedCall): string | undefined {
  const directories = new Set(mountsOf(recording, volumeId).map(directoryName));
  return recording.shares.at(-1)?.names.find((name) => directories.has(name));
}

/** Every mount that was ever seen where the volume should be. */
function mountsOf(recording: Recording, volumeId: string): readonly Mount[] {
  const paths = new Set(recording.calls.filter((call) => call.volumeId === volumeId).map(({ path }) => path));
  return recording.tables.flatMap(({ mounts }) => mounts).filter(({ path }) => paths.has(path));
}

/** A bind mount has the directory as its root; an NFS mount names it in its source. */
function directoryName({ root, source }: Mount): string {
  return basename(root === "/" ? source : root);
}
