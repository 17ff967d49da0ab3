import assert from "node:assert/strict";
import { type Figure, figure, median, ratio } from "../table.ts";
import type { NodeBench } from "./node-bench.ts";

/** Many pods of one node with one volume: one NFS mount, and a bind mount for each. */
export async function measurePods(bench: NodeBench, pods: number): Promise<Figure[]> {
  const numbers = Array.from({ length: pods }, (_, pod) => pod);
  const times: Record<"publish" | "bind" | "unpublish" | "unbind", number[]> = {
    publish: [],
    bind: [],
    unpublish: [],
    unbind: [],
  };
  await bench.prepare(pods);
  await bench.stage();
  await bench.timed([
    `mount -t nfs4 -o vers=4.2,hard,nosharecache ${bench.source} /run/bare/staged
mkdir -p ${numbers.map(barePath).join(" ")}`,
  ]);
  for (const pod of numbers) {
    await record(times.publish, () => bench.publish(pod));
    times.bind.push(...(await bench.timed([`mount --bind /run/bare/staged ${barePath(pod)}`])));
  }
  const mounts = await bench.mounts();
  assert.equal(mounts.length, pods + 1);
  const superblocks = new Set(mounts.map(({ device }) => device)).size;
  for (const pod of numbers) {
    await record(times.unpublish, () => bench.unpublish(pod));
    times.unbind.push(...(await bench.timed([`umount ${barePath(pod)}`])));
  }
  await bench.unstage();
  await bench.timed(["umount /run/bare/staged"]);
  const few = Math.min(10, pods);
  const [first, last] = [times.publish.slice(0, few), times.publish.slice(-few)];
  return [
    { what: `NFS mounts for ${pods} pods with one volume`, measured: `${superblocks}` },
    figure(`NodePublishVolume, p50 of ${pods}`, median(times.publish), "ms"),
    figure("bare `mount --bind` in the same rounds, p50", median(times.bind), "ms"),
    ratio("publish beside it", median(times.publish), median(times.bind)),
    ratio(`publish for the last ${few} pods beside the first ${few}, p50`, median(last), median(first)),
    figure(`NodeUnpublishVolume, p50 of ${pods}`, median(times.unpublish), "ms"),
    figure("bare `umount` in the same rounds, p50", median(times.unbind), "ms"),
    ratio("unpublish beside it", median(times.unpublish), median(times.unbind)),
  ];
}

function barePath(pod: number): string {
  return `/run/bare/pods/${pod}`;
}

async function record(times: number[], work: () => Promise<void>): Promise<void> {
  const startMs = performance.now();
  await work();
  times.push(performance.now() - startMs);
}
