import type { RecordedCall, RecordedTable, Recording } from "./recording.ts";
import { broken, counted, holds, type Invariant, seconds, type Verdict } from "./verdict.ts";

/**
 * From the mount tables: what is mounted on a node, that node's plugin was asked for, and what it was
 * asked for is mounted there. A plugin that reached into another node would break either.
 */
export const ownNode: Invariant = {
  number: 3,
  rule: "a node plugin touches its own node only",
  check(recording: Recording): Verdict {
    const mountsSeen = recording.tables.reduce((sum, table) => sum + table.mounts.length, 0);
    const nodesSeen = new Set(recording.tables.map(({ node }) => node)).size;
    if (mountsSeen === 0 || nodesSeen < 2)
      return broken("too few mount tables to judge: two nodes, one mount");
    const complaint =
      first(recording.calls, (call) => strayPath(recording, call)) ??
      first(recording.tables, (table) => strayMount(recording, table) ?? lostMount(recording, table));
    if (complaint !== undefined) return broken(complaint);
    const tables = counted(recording.tables.length, "mount table");
    return holds(`${tables} of ${counted(nodesSeen, "node")}, each mount asked of its own plugin`);
  },
};

function strayPath(recording: Recording, call: RecordedCall): string | undefined {
  if (call.path === "") return undefined;
  const node = recording.nodes.find(({ name }) => name === call.component);
  if (node !== undefined && call.path.startsWith(`${node.kubeletDirectory}/`)) return undefined;
  return `${call.component} was called for ${call.path}, which is not its own`;
}

/** A volume mounted on a node that its plugin was not asked to mount. */
function strayMount(recording: Recording, table: RecordedTable): string | undefined {
  const { ms, node, mounts } = table;
  const kubeletDirectories = recording.nodes.map(({ kubeletDirectory }) => kubeletDirectory);
  const stray = mounts
    .filter(({ path }) => kubeletDirectories.some((directory) => path.startsWith(`${directory}/`)))
    .find(({ path }) => lastAsked(recording, path, table).wanted === "gone");
  return stray && `${node} at ${seconds(ms)}: ${stray.path} is mounted, which its plugin was not asked for`;
}

/** A volume gone from a node whose plugin was not asked to unmount it. */
function lostMount(recording: Recording, table: RecordedTable): string | undefined {
  const { ms, node, mounts } = table;
  const paths = new Set(
    recording.calls.filter(({ component }) => component === node).map(({ path }) => path),
  );
  const lost = [...paths].find(
    (path) =>
      path !== "" &&
      lastAsked(recording, path, table).wanted === "there" &&
      !mounts.some((mount) => mount.path === path),
  );
  return lost && `${node} at ${seconds(ms)}: ${lost} is no longer mounted, though nobody asked for that`;
}

/** What a path should be when a table was read; `either` while a call is under way, or after one that failed. */
function lastAsked(recording: Recording, path: string, { node, ms, untilMs }: RecordedTable) {
  const calls = recording.calls.filter(
    (call) => call.component === node && call.path === path && call.startMs <= untilMs,
  );
  const last = calls.reduce<RecordedCall | undefined>(
    (latest, call) => (latest === undefined || call.startMs >= latest.startMs ? call : latest),
    undefined,
  );
  if (last === undefined) return { wanted: "gone" } as const;
  if (last.endMs > ms || last.code !== "OK") return { wanted: "either" } as const;
  const isMounting = last.rpc === "NodeStageVolume" || last.rpc === "NodePublishVolume";
  return { wanted: isMounting ? "there" : "gone" } as const;
}

function first<T>(items: readonly T[], complaintOf: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const complaint = complaintOf(item);
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}
