import type { RecordedCall } from "./recording.ts";

/** What is mounted by the calls so far: for each the call that succeeded in mounting it. */
export interface Held {
  readonly staged: readonly RecordedCall[];
  readonly published: readonly RecordedCall[];
}

/**
 * Goes through the calls in time. `visit` sees each call with what was mounted when it began; what it
 * returns is a complaint, and ends the replay.
 */
export function replay(
  calls: readonly RecordedCall[],
  visit: (call: RecordedCall, held: Held) => string | undefined,
): string | undefined {
  let held: Held = { staged: [], published: [] };
  for (const { call, isEnd } of momentsOf(calls)) {
    if (isEnd) {
      held = call.code === "OK" ? after(call, held) : held;
      continue;
    }
    const complaint = visit(call, held);
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

export function sameVolumeAndNode(one: RecordedCall, other: RecordedCall): boolean {
  return one.component === other.component && one.volumeId === other.volumeId;
}

/** Ends come before beginnings of the same instant: what one call did, the next one sees. */
function momentsOf(
  calls: readonly RecordedCall[],
): { readonly call: RecordedCall; readonly isEnd: boolean }[] {
  const moments = calls.flatMap((call) => [
    { call, ms: call.startMs, isEnd: false },
    { call, ms: call.endMs, isEnd: true },
  ]);
  return moments.sort((one, other) => one.ms - other.ms || Number(other.isEnd) - Number(one.isEnd));
}

function after(call: RecordedCall, { staged, published }: Held): Held {
  const isHere = (mount: RecordedCall) => mount.component === call.component && mount.path === call.path;
  switch (call.rpc) {
    case "NodeStageVolume":
      return { staged: [...staged, call], published };
    case "NodeUnstageVolume":
      return { staged: staged.filter((mount) => !isHere(mount)), published };
    case "NodePublishVolume":
      return { staged, published: [...published, call] };
    case "NodeUnpublishVolume":
      return { staged, published: published.filter((mount) => !isHere(mount)) };
    default:
      return { staged, published };
  }
}
