import type { TierChoice } from "../site/choose-tier.ts";
import type { Tier } from "../site/site.ts";
import type { Timeline } from "../timeline/timeline.ts";

const tierTexts: Readonly<Record<Tier, string>> = {
  guests:
    "Tier guests: each node is a kernel of its own (user-mode Linux) with its NFS client, and runs berth node; one more serves NFS from XFS with the kernel's server. berth controller runs beside them as nobody, and speaks NFS itself.",
  namespaces:
    "Tier namespaces: this machine's kernel mounts NFS in a network and mount namespace for each node, which runs berth node; NFS-Ganesha serves. berth controller runs as nobody, and speaks NFS itself.",
  directory:
    "Tier directory: a local directory instead of NFS; each node is a mount namespace of this machine, and runs berth node.",
};

/** Which tier it is, and why no better one. */
export function introduceTier(timeline: Timeline, { tier, obstacles }: TierChoice): void {
  timeline.text(tierTexts[tier]);
  for (const [better, why] of obstacles) timeline.text(`Not tier ${better}: ${why}.`);
}
