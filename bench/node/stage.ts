import { type Figure, figure, median, ratio } from "../table.ts";
import type { NodeBench } from "./node-bench.ts";

/**
 * The node's first pod with a volume, and its last. The calls go over the guest's network, each on a new
 * connection as kubelet makes it; the bare commands are timed within the guest.
 */
export async function measureStage(bench: NodeBench, rounds: number): Promise<Figure[]> {
  const times: number[][] = [];
  const bareTimes: number[][] = [];
  await bench.prepare(1);
  for (let round = 0; round < rounds; round++) {
    const startMs = performance.now();
    await bench.stage();
    await bench.publish(0);
    const mountedMs = performance.now();
    await bench.unpublish(0);
    await bench.unstage();
    times.push([mountedMs - startMs, performance.now() - mountedMs]);
    bareTimes.push(await bareRound(bench));
  }
  const [up = Number.NaN, down = Number.NaN] = medians(times);
  const [bareUp = Number.NaN, bareDown = Number.NaN] = medians(bareTimes);
  return [
    figure(`NodeStageVolume + NodePublishVolume, p50 of ${rounds}`, up, "ms"),
    figure("bare `mount -t nfs4` + `mount --bind` in the same rounds, p50", bareUp, "ms"),
    ratio("stage + publish beside the bare commands", up, bareUp),
    figure("NodeUnpublishVolume + NodeUnstageVolume, p50", down, "ms"),
    figure("bare `umount` twice, p50", bareDown, "ms"),
    ratio("unpublish + unstage beside the bare commands", down, bareDown),
  ];
}

/** With the options that matter of those that Berth gives. @returns milliseconds of mounting and of unmounting */
async function bareRound(bench: NodeBench): Promise<number[]> {
  return await bench.timed([
    `
mount -t nfs4 -o vers=4.2,hard,nosharecache ${bench.source} /run/bare/staged
mount --bind /run/bare/staged /run/bare/pod`,
    "umount /run/bare/pod\numount /run/bare/staged",
  ]);
}

function medians(rounds: readonly (readonly number[])[]): number[] {
  return [0, 1].map((part) => median(rounds.map((times) => times[part] ?? Number.NaN)));
}
