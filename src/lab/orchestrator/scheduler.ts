/** A pod as far as placing and removing it goes. */
export interface Placed {
  readonly nodeName: string;
}

/** The node with the fewest of these pods, the first of several: Kubernetes' default spreading, without its noise. */
export function placePod(nodes: readonly [string, ...string[]], pods: readonly Placed[]): string {
  const counted = nodes.map((node) => ({ node, count: countOn(node, pods) }));
  return counted.reduce((best, each) => (each.count < best.count ? each : best)).node;
}

/**
 * The pod that a ReplicaSet gives up first: one on the node with most of them, and of those the newest
 * (kube-controller-manager, `ActivePodsWithRanks`).
 * @param pods oldest first
 */
export function podToRemove<T extends Placed>(pods: readonly T[]): T | undefined {
  const ranked = pods.map((pod) => ({ pod, rank: countOn(pod.nodeName, pods) }));
  return ranked.reduce<{ pod: T; rank: number } | undefined>(
    (best, each) => (best === undefined || each.rank >= best.rank ? each : best),
    undefined,
  )?.pod;
}

function countOn(node: string, pods: readonly Placed[]): number {
  return pods.filter((pod) => pod.nodeName === node).length;
}
