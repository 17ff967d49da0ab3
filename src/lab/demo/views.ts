import type { Lab } from "../lab.ts";
import type { LabNode } from "../lab-node.ts";
import { commandLine } from "../machine/machine.ts";
import type { Mount } from "../machine/mount-table.ts";
import type { Pod } from "../orchestrator/objects.ts";
import { abbreviate, columns, fitPath } from "../timeline/text.ts";
import type { Timeline } from "../timeline/timeline.ts";

/** What there is to see besides calls: on the share, in the mount tables, in the pods. */
export class Views {
  readonly #lab: Lab;
  readonly #timeline: Timeline;

  constructor(lab: Lab, timeline: Timeline) {
    this.#lab = lab;
    this.#timeline = timeline;
  }

  /** The names at the share's root. */
  async share(): Promise<void> {
    const { names, where } = this.#lab.site.share;
    const found = (await names()).map(abbreviate);
    this.#timeline.raw(`on ${where}: ${found.join("  ") || "nothing"}`);
  }

  /** Who has the volume mounted, and how often, out of the nodes' own mount tables. */
  async holders(): Promise<void> {
    const holders = await Promise.all(this.#lab.nodes.map(holderOf));
    const found = holders.filter((holder) => holder !== undefined);
    this.#timeline.text(`mounted (for the node + for its pods): ${found.join(", ") || "nowhere"}`);
  }

  /** `df` of the mounts of a pod's node, and in the pod itself: all of one directory. */
  async mountsOf(pod: Pod, podDf: string): Promise<void> {
    const node = this.#lab.node(pod.nodeName);
    const { name, kubeletDirectory } = node;
    const mounts = await node.mounts();
    const df = ["df", "-h", "--output=source,size,used,target", ...mounts.map(({ path }) => path)];
    const rows = rowsOf(await node.check(commandLine(df)));
    this.#timeline.text("");
    this.#timeline.raw(`on ${name}, df -h of its mounts, below ${kubeletDirectory}:`);
    for (const row of rows) this.#timeline.raw(`  ${rowLine(row, kubeletDirectory)}`, "good");
    this.#timeline.raw(`in ${pod.name}, df -h /data:`);
    for (const row of rowsOf(podDf)) this.#timeline.raw(`  ${rowLine(row, kubeletDirectory)}`, "good");
    for (const line of optionsOf(mounts)) this.#timeline.raw(line);
  }

  /** The first lines of the file, as one pod reads them. */
  file(pod: Pod, lines: readonly string[]): void {
    this.#timeline.text("");
    this.#timeline.raw(`in ${pod.name} on ${pod.nodeName}, cat /data/log:`);
    for (const line of lines) this.#timeline.raw(`  ${line}`, "good");
  }
}

/** The lines of `df` below its heading, in words. */
function rowsOf(df: string): string[][] {
  const [, ...lines] = df.trimEnd().split("\n");
  return lines.map((line) => line.split(/\s+/));
}

function rowLine(
  [source = "", size = "", used = "", target = ""]: string[],
  kubeletDirectory: string,
): string {
  const what = `${abbreviate(source)} ${size} ${used}  `;
  const below = target.startsWith(`${kubeletDirectory}/`)
    ? target.slice(kubeletDirectory.length + 1)
    : target;
  return `${what}${fitPath(below, columns - 4 - what.length)}`;
}

/** How the kernel has mounted it, where that is a matter of negotiation. */
function optionsOf(mounts: readonly Mount[]): string[] {
  const [first] = mounts.filter(({ fileSystem }) => fileSystem.startsWith("nfs"));
  if (first === undefined) return [];
  const version = /\bvers=([0-9.]+)/.exec(first.options)?.[1] ?? "?";
  return [`mounted by the node's kernel: ${first.fileSystem}, version ${version}`];
}

async function holderOf(node: LabNode): Promise<string | undefined> {
  const mounts = await node.mounts();
  if (mounts.length === 0) return undefined;
  const global = mounts.filter(({ path }) => path.endsWith("/globalmount")).length;
  return `${node.name} ${global}+${mounts.length - global}`;
}
